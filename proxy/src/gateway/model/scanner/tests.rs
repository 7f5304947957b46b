//! Bodies in every cut, beside a reader of JSON that everybody uses.

use super::*;
use proptest::prelude::*;

fn scan(parts: &[&[u8]]) -> Result<Option<String>, Unsound> {
    let mut scanner = Scanner::new();
    parts.iter().try_for_each(|part| scanner.feed(part))?;
    scanner.finish()?;
    Ok(scanner.model().map(str::to_owned))
}

#[track_caller]
fn check(body: &str, expected: Result<Option<&str>, Unsound>) {
    let expected = expected.map(|name| name.map(str::to_owned));
    assert_eq!(scan(&[body.as_bytes()]), expected, "{body}");
    // The same byte by byte.
    let parts: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
    assert_eq!(scan(&parts), expected, "{body}");
}

#[test]
fn the_member_of_the_outermost_object_is_the_model() {
    check(r#"{"model":"gpt"}"#, Ok(Some("gpt")));
    check(
        " { \"messages\" : [{\"model\":\"x\"}] ,\n\"model\" : \"a/b:c\" } ",
        Ok(Some("a/b:c")),
    );
    check(
        r#"{"a":{"model":"x"},"b":[1,-2.5e9,true,null,"\"model\":"]}"#,
        Ok(None),
    );
    check(r#"{"mod\u0065l":"\u0067p\u0074"}"#, Ok(Some("gpt")));
    check(r#"{"model":"\ud83d\ude00"}"#, Ok(Some("😀")));
    check(r#"{"model":"\ud83dx"}"#, Ok(Some("\u{fffd}x")));
    check("{}", Ok(None));
    check("", Ok(None));
    check(r#"["model"]"#, Ok(None));
    check("model=gpt", Ok(None));
}

#[test]
fn what_two_readers_could_take_for_different_models_is_refused() {
    check(r#"{"model":"a","model":"a"}"#, Err(Unsound::Twice));
    check(r#"{"model":"a","mod\u0065l":"b"}"#, Err(Unsound::Twice));
    check(r#"{"Model":"a"}"#, Err(Unsound::Capitals));
    check(r#"{"model":"a","MODEL":"b"}"#, Err(Unsound::Capitals));
    check(r#"{"model":null}"#, Err(Unsound::NotText));
    check(r#"{"model":["a"]}"#, Err(Unsound::NotText));
    for bad in [
        r#"{"model":"a"}x"#,
        r#"{"model":"a"}{"model":"b"}"#,
        r#"{"model":"a",}"#,
        r#"{"model":"a""#,
        r#"{'model':"a"}"#,
        r#"{model:"a"}"#,
        r#"{"model":"a" /* , */ }"#,
        "{\"model\":\"a\nb\"}",
        r#"{"model":"\x61"}"#,
        r#"{"model":"\u00g1"}"#,
        r#"{"a":[}"#,
        r#"{"a":[1}"#,
    ] {
        check(bad, Err(Unsound::NotJson));
    }
    let long = format!(r#"{{"model":"{}"}}"#, "x".repeat(257));
    check(&long, Err(Unsound::TooLong));
    let deep = format!(r#"{{"a":{}"#, "[".repeat(128));
    check(&deep, Err(Unsound::TooDeep));
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof!["model", "[a-z\"\\\\\u{1}é😀]{0,6}"];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        text.clone().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::vec((text.clone(), inner), 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn it_finds_what_a_whole_reader_finds_however_the_body_is_cut(
        body in json(), spaced: bool, cut in 1..9_usize,
    ) {
        let text = if spaced { format!("{body:#}") } else { body.to_string() };
        let parts: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
        let expected = match body.get("model") {
            None => Ok(None),
            Some(serde_json::Value::String(name)) => Ok(Some(name.clone())),
            Some(_) => Err(Unsound::NotText),
        };
        prop_assert_eq!(scan(&parts), expected, "{}", text);
    }

    #[test]
    fn whatever_it_takes_a_whole_reader_takes_for_the_same(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let body = [b"{\"model\":\"a\"", &bytes[..]].concat();
        if let (Ok(Some(name)), Ok(read)) = (scan(&[&body]), serde_json::from_slice::<serde_json::Value>(&body)) {
            prop_assert_eq!(Some(&*name), read["model"].as_str());
        }
    }
}

/// A body with another model in it.
fn renamed(body: &str, model: &str) -> Option<String> {
    let mut scanner = Scanner::new();
    scanner.feed(body.as_bytes()).ok()?;
    let mut text = body.to_owned();
    text.replace_range(
        scanner.place()?,
        &serde_json::Value::from(model).to_string(),
    );
    Some(text)
}

#[test]
fn the_place_of_a_name_is_told_with_its_quotation_marks() {
    let body = r#"{"a":"model", "model" : "o\u006cd", "b":[1]}"#;
    let expected = r#"{"a":"model", "model" : "n\"w", "b":[1]}"#;
    assert_eq!(renamed(body, "n\"w").as_deref(), Some(expected));
    assert_eq!(renamed(r#"{"a":1}"#, "new"), None);
}

#[test]
fn the_place_is_the_same_however_the_body_is_cut() {
    let body = r#"{"a":1,"model":"old","b":"rest"}"#;
    for cut in 0..body.len() {
        let mut scanner = Scanner::new();
        let (one, two) = body.split_at(cut);
        scanner.feed(one.as_bytes()).unwrap();
        scanner.feed(two.as_bytes()).unwrap();
        let name = body.get(scanner.place().unwrap());
        assert_eq!(name, Some("\"old\""), "cut at {cut}");
    }
}

#[test]
fn a_string_is_passed_over_up_to_what_means_something_and_no_further() {
    for place in 0..200 {
        let with = |byte| {
            let mut text = vec![b'x'; 200];
            text[place] = byte;
            plain(&text)
        };
        for byte in [b'"', b'\\', 0, 0x1f] {
            assert_eq!(with(byte), place, "{byte:#x}");
        }
        for byte in [0x20, b'!', 0x7f, 0x80, 0xff] {
            assert_eq!(with(byte), 200, "{byte:#x} at {place}");
        }
    }
}

#[test]
fn a_list_is_passed_over_up_to_its_last_number_and_never_over_a_gap() {
    for (list, expected) in [
        ("", 0),
        ("1", 1),
        (",1,2]", 4),
        (",\"a\"", 0),
        ("1,,2", 1),
        (",,2", 0),
        ("1, 2", 1),
        ("1,2,", 3),
        ("1.5e-3,true,NaN]", 15),
    ] {
        assert_eq!(listed(list.as_bytes()), expected, "{list}");
    }
    for place in 1..199 {
        let mut numbers = b"1,".repeat(100);
        numbers[place] = b',';
        let before_gap = if place % 2 == 0 { place - 1 } else { 199 };
        assert_eq!(listed(&numbers), before_gap, "{place}");
        numbers[place] = b']';
        let before_end = if place % 2 == 0 { place - 1 } else { place };
        assert_eq!(listed(&numbers), before_end, "{place}");
    }
}
