//! What a token says, byte by byte, and that nothing else is believed.

use proptest::prelude::*;

use super::*;

const HOUR_MS: u64 = 3_600_000;

fn claims() -> Claims {
    Claims {
        experiment: 0x0102_0304_0506_0708,
        run: 3,
        epoch: 2,
        arm: 1,
        bucket: 511,
        unit: 0xFFEE_DDCC_BBAA_9988,
        issued_ms: 1_700_000_000_000,
        nonce: 42,
    }
}

fn keys() -> Keys {
    Keys::restored(vec![Key::new(0xAABB_CCDD, [7; 32], 0)]).expect("a key")
}

#[test]
fn the_layout_of_a_token_stays_as_it_is() {
    let token = keys().sign(&claims());
    let bytes = URL_SAFE_NO_PAD.decode(&token).expect("base64url");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "01ddccbbaa08070605040302010300000002000000\
         01ff018899aabbccddeeff0068e5cf8b0100002a00000000000000\
         1d7f8d0d180c3e7b3f62b4590d6062bc"
    );
}

#[test]
fn what_was_signed_is_read_back() {
    let keys = keys();
    assert_eq!(keys.open(&keys.sign(&claims())), Ok(claims()));
}

#[test]
fn a_key_of_the_same_name_with_another_secret_is_a_forger() {
    let forger = Keys::restored(vec![Key::new(0xAABB_CCDD, [8; 32], 0)]).expect("a key");
    assert_eq!(keys().open(&forger.sign(&claims())), Err(Refused::Forged));
}

#[test]
fn a_key_that_was_never_ours_is_unknown() {
    let foreign = Keys::restored(vec![Key::new(1, [7; 32], 0)]).expect("a key");
    assert_eq!(
        keys().open(&foreign.sign(&claims())),
        Err(Refused::UnknownKey)
    );
}

#[test]
fn a_replaced_key_is_believed_until_its_tokens_are_too_old() {
    let first = keys();
    let token = first.sign(&claims());
    let second = first.rotated(HOUR_MS, 0).expect("a key");
    assert_eq!(second.open(&token), Ok(claims()));
    let soon = second.rotated(2 * HOUR_MS, HOUR_MS).expect("a key");
    assert_eq!(
        soon.open(&token),
        Ok(claims()),
        "replaced an hour ago, at the very edge"
    );
    let later = second.rotated(3 * HOUR_MS, HOUR_MS + 1).expect("a key");
    assert_eq!(later.open(&token), Err(Refused::UnknownKey));
    assert_eq!(later.iter().count(), 2);
}

#[test]
fn the_newest_key_signs_whatever_order_the_store_gives() {
    let old = Key::new(1, [1; 32], 5);
    let new = Key::new(2, [2; 32], 9);
    let keys = Keys::restored(vec![old, new]).expect("keys");
    assert_eq!(keys.newest().id(), 2);
}

#[test]
fn a_secret_is_not_shown() {
    assert_eq!(
        format!("{:?}", keys().newest()),
        "Key { id: 2864434397, made_ms: 0, .. }"
    );
}

proptest! {
    #[test]
    fn any_flipped_bit_is_refused(bit in 0..TOKEN_BYTES * 8) {
        let mut bytes = URL_SAFE_NO_PAD.decode(keys().sign(&claims())).expect("base64url");
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(keys().open(&URL_SAFE_NO_PAD.encode(bytes)).is_err());
    }

    #[test]
    fn any_other_character_is_refused(place in 0..86_usize, other in "[A-Za-z0-9_=+/ -]") {
        let mut token = keys().sign(&claims());
        prop_assume!(token.get(place..=place) != Some(other.as_str()));
        token.replace_range(place..=place, &other);
        prop_assert!(keys().open(&token).is_err());
    }

    #[test]
    fn any_text_is_refused_without_a_panic(text in ".{0,200}") {
        prop_assert!(keys().open(&text).is_err());
    }
}
