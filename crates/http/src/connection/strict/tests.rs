use std::mem::MaybeUninit;

use super::*;

/// The bytes that pass of a stream that arrives in pieces of `size`, read into buffers of `room`; and the refusal, if
/// there was one.
fn passed(stream: &[u8], size: usize, room: usize) -> (Vec<u8>, Option<HeadRefusal>, Result<(), Malformed>) {
    let (mut reader, mut through, mut refused) = (StrictReader::default(), Vec::new(), None);
    let mut pieces = stream.chunks(size);
    loop {
        let mut space = vec![MaybeUninit::uninit(); room];
        let mut into = ReadBuf::uninit(&mut space);
        match reader.pass(&mut into) {
            Ok(refusal) => refused = refused.or(refusal),
            Err(malformed) => return (through, refused, Err(malformed)),
        }
        if !into.filled().is_empty() {
            through.extend_from_slice(into.filled());
            continue;
        }
        if reader.is_shut() {
            return (through, refused, Ok(()));
        }
        let Some(piece) = pieces.next() else { return (through, refused, Ok(())) };
        if reader.wants_head() {
            reader.push(piece).expect("room");
            continue;
        }
        let mut space = vec![MaybeUninit::uninit(); piece.len()];
        let mut read = ReadBuf::uninit(&mut space);
        read.put_slice(piece);
        if let Err(malformed) = reader.follow(&mut read, 0) {
            return (through, refused, Err(malformed));
        }
        through.extend_from_slice(read.filled());
    }
}

/// Several requests of every framing, one after the other.
const PIPELINE: &[u8] = b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n\
    POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /\
    POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
    5;a=b\r\nGET /\r\n1f\r\n0123456789012345678901234567890\r\n0\r\nX-Trailer: 1\r\n\r\n\
    \r\nPUT /4 HTTP/1.0\r\ncontent-length: 0\r\n\r\n\
    GET http://x/5?a=b HTTP/1.1\r\nhost: x\r\n\r\n";

#[test]
fn whatever_the_pieces_what_is_in_no_doubt_passes_byte_for_byte() {
    for size in [1, 2, 3, 7, 50, 1000] {
        for room in [1, 13, 8192] {
            let (through, refused, end) = passed(PIPELINE, size, room);
            assert_eq!((refused, end), (None, Ok(())), "pieces of {size}, room for {room}");
            assert_eq!(String::from_utf8_lossy(&through), String::from_utf8_lossy(PIPELINE));
        }
    }
}

#[test]
fn after_a_refused_head_nothing_passes() {
    for size in [1, 5, 1000] {
        let stream =
            [PIPELINE, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", PIPELINE]
                .concat();
        let (through, refused, end) = passed(&stream, size, 100);
        assert_eq!(end, Ok(()));
        assert_eq!(refused.map(|refusal| refusal.code.as_str()), Some("bad-request"));
        assert_eq!(through, [PIPELINE, STAND_IN].concat(), "pieces of {size}");
    }
}

#[test]
fn nothing_of_a_head_passes_before_its_end() {
    let head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n";
    for cut in 1..head.len() {
        let (through, refused, _) = passed(&head[..cut], 1000, 1000);
        assert_eq!((through.len(), refused), (0, None), "cut at {cut}");
    }
}

#[test]
fn chunks_in_doubt_are_malformed() {
    let long = format!("1;{}\r\n", "a".repeat(20_000));
    for chunks in [
        "\r\n",
        "g\r\n",
        "-1\r\n",
        "0x1\r\n",
        "+1\r\n",
        "1\n",
        "1\ra",
        "1;a\nb",
        "1\r\nab",
        "1\r\na\n0\r\n",
        "11111111111111111\r\n",
        "0\r\n\n",
        "0\r\nA: b\nB: c",
        "1;\0\r\n",
        long.as_str(),
    ] {
        let stream = format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        for size in [1, 1000] {
            let (_, refused, end) = passed(stream.as_bytes(), size, 100);
            assert_eq!((refused, end), (None, Err(Malformed)), "{chunks:?}");
        }
    }
}

#[test]
fn a_head_that_comes_byte_by_byte_is_not_parsed_each_time() {
    let mut reader = StrictReader::default();
    let mut looks = 0;
    for byte in format!("GET / HTTP/1.1\r\nHost: {}", "x".repeat(60_000)).bytes() {
        reader.push(&[byte]).expect("room");
        let before = reader.looked_at;
        reader.look();
        looks += usize::from(reader.looked_at > before);
    }
    assert!((1..30).contains(&looks), "{looks} looks");
}
