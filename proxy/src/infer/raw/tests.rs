//! Bytes that are values, and bytes that are none.

use proptest::prelude::any;

use super::*;

#[track_caller]
fn check(values: &Values, bytes: &[u8]) {
    let mut written = Vec::new();
    write(values, &mut written);
    assert_eq!(written, bytes);
    let read = |raw: &[u8]| read(values.datatype(), raw, values.len());
    assert_eq!(read(bytes).as_ref(), Ok(values));
    assert!(read(&[bytes, &[0]].concat()).is_err(), "one byte too many");
    assert!(read(&bytes[1..]).is_err(), "one byte too few");
}

#[test]
fn every_datatype_is_read_as_it_is_written() {
    check(&Values::Bool(vec![false, true]), &[0, 1]);
    check(&Values::Uint8(vec![255]), &[255]);
    check(&Values::Uint16(vec![513]), &[1, 2]);
    check(
        &Values::Uint32(vec![1, u32::MAX]),
        &[1, 0, 0, 0, 255, 255, 255, 255],
    );
    check(
        &Values::Uint64(vec![u64::MAX - 1]),
        &[254, 255, 255, 255, 255, 255, 255, 255],
    );
    check(&Values::Int8(vec![-128]), &[128]);
    check(&Values::Int16(vec![-2]), &[254, 255]);
    check(&Values::Int32(vec![i32::MIN]), &[0, 0, 0, 128]);
    check(&Values::Int64(vec![i64::MIN]), &[0, 0, 0, 0, 0, 0, 0, 128]);
    check(&Values::Fp16(vec![f16::from_f32(1.5)]), &[0x00, 0x3e]);
    check(&Values::Bf16(vec![bf16::from_f32(1.5)]), &[0xc0, 0x3f]);
    check(&Values::Fp32(vec![1.0]), &[0, 0, 128, 63]);
    check(&Values::Fp64(vec![1.0]), &[0, 0, 0, 0, 0, 0, 240, 63]);
    let texts = Values::Bytes(vec![b"cat".to_vec(), vec![], vec![255]]);
    check(&texts, b"\x03\0\0\0cat\0\0\0\0\x01\0\0\0\xff");
}

#[test]
fn any_byte_but_zero_is_true() {
    assert_eq!(
        read(Datatype::Bool, &[0, 1, 2], 3),
        Ok(Values::Bool(vec![false, true, true]))
    );
}

#[test]
fn what_was_expected_is_told() {
    let told = |datatype, raw: &[u8], count| read(datatype, raw, count).unwrap_err().to_string();
    assert_eq!(
        told(Datatype::Fp32, &[0; 7], 2),
        "2 values of 4 bytes each are expected, got 7 bytes"
    );
    assert_eq!(
        told(Datatype::Fp64, &[], usize::MAX),
        format!(
            "{} values of 8 bytes each are expected, got 0 bytes",
            usize::MAX
        )
    );
    assert_eq!(
        told(Datatype::Bytes, b"\x09\0\0\0cat", 1),
        "value 0 is cut off; a length of 4 bytes and as many bytes are expected"
    );
    let two = b"\0\0\0\0\0\0\0\0";
    assert_eq!(
        told(Datatype::Bytes, two, 1),
        "1 values are expected, got more"
    );
    assert_eq!(
        told(Datatype::Bytes, two, 3),
        "3 values are expected, got 2"
    );
    let long = b"\x04\0\0\0long";
    assert_eq!(
        told(Datatype::Bytes, long, 2),
        "2 values are expected, got 1"
    );
    // Room for so many would be more than there is memory.
    assert_eq!(
        told(Datatype::Bytes, two, usize::MAX),
        format!("{} values are expected, got 2", usize::MAX)
    );
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_as_many_values_as_are_asked_for_or_none(
        raw: Vec<u8>,
        which in 0..Datatype::ALL.len(),
        count in 0_usize..9,
    ) {
        if let Ok(values) = read(Datatype::ALL[which], &raw, count) {
            assert_eq!((values.len(), values.datatype()), (count, Datatype::ALL[which]));
            let mut written = Vec::new();
            write(&values, &mut written);
            // Of the many bytes that are true, one is written.
            if values.datatype() != Datatype::Bool {
                assert_eq!(written, raw);
            }
        }
    }

    #[test]
    fn any_texts_come_back(texts in proptest::collection::vec(any::<Vec<u8>>(), 0..9)) {
        let values = Values::Bytes(texts);
        let mut written = Vec::new();
        write(&values, &mut written);
        assert_eq!(read(Datatype::Bytes, &written, values.len()), Ok(values));
    }
}
