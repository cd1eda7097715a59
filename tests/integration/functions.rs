//! Real programs on real input, each over HTTP, through `run` and through `call`; results are judged by what is in
//! them.

use crate::harness::{
    archive::{names, unzip},
    bandog, decode, encode, function,
    picture::{Picture, paint},
    program, serve,
    way::{Crossing, WAYS},
};

/// A colourful picture of 120 × 80.
fn colourful() -> Vec<u8> {
    paint(&["-size", "120x80", "gradient:red-blue"], "png")
}

#[test]
fn a_cow_says_the_message_of_a_json_body() {
    let crossing = Crossing::to(&function("cowsay.sh"));
    for way in WAYS {
        let bubble = crossing.send(way, ("message.json", br#"{"message": "Hi there"}"#), "cow.txt");
        let bubble = String::from_utf8(bubble).expect("text");
        assert!(bubble.contains("< Hi there >") && bubble.contains("(oo)"), "{way:?}: {bubble}");
    }
}

#[test]
fn a_cow_says_json_sent_as_json() {
    let server = serve(function("cowsay.sh")).quiet().start();
    let body = r#"{"message": "plain JSON"}"#;
    for request in [server.post(body), server.post(body).media("application/json")] {
        let answer = request.send().expect(200);
        assert!(answer.text().contains("< plain JSON >"), "{answer}");
    }
    let ran = bandog(["run", "--log-level", "CRITICAL", "--script"])
        .arg(function("cowsay.sh"))
        .with_workspace()
        .stdin(body)
        .run()
        .expect(0);
    assert!(ran.text().contains("< plain JSON >"), "{ran}");
    let ran = bandog(["call", &server.url("/"), "--text-input", body]).run().expect(0);
    assert!(ran.text().contains("< plain JSON >"), "{ran}");
}

#[test]
fn a_cow_says_plain_text_sent_as_base64() {
    let crossing = Crossing::to(&function("cowsay.sh"));
    for way in WAYS {
        let bubble = crossing.send(way, ("message.txt", b"Moo from base64!"), "cow.txt");
        let bubble = String::from_utf8(bubble).expect("text");
        assert!(bubble.contains("< Moo from base64! >"), "{way:?}: {bubble}");
    }
}

#[test]
fn a_picture_turns_grey() {
    let picture = colourful();
    let original = Picture::decode("png", &picture);
    assert!(!original.is_grey(), "the picture that is sent has colours");
    let crossing = Crossing::to(&function("grey.sh"));
    for way in WAYS {
        let grey = Picture::decode("png", &crossing.send(way, ("picture.png", &picture), "grey.png"));
        assert_eq!((grey.width, grey.height), (120, 80), "{way:?}");
        assert!(grey.is_grey(), "{way:?}: every pixel is grey");
        assert!(grey.colours() > 10, "{way:?}: it is still a gradient");
    }
}

#[test]
fn a_picture_becomes_a_zip_of_thumbnails() {
    let picture = colourful();
    let crossing = Crossing::to(&function("thumbnails.sh"));
    for way in WAYS {
        let entries = unzip(&crossing.send(way, ("picture.png", &picture), "pictures.zip"));
        assert_eq!(names(&entries), ["grey.png", "thumbnails/32.png", "thumbnails/64.png"], "{way:?}");
        let [grey, small, large] = [0, 1, 2].map(|index| Picture::decode("png", &entries[index].content));
        assert!(grey.is_grey() && !small.is_grey() && !large.is_grey(), "{way:?}");
        assert_eq!((grey.width, grey.height), (120, 80), "{way:?}");
        assert_eq!((small.width, small.height), (32, 21), "{way:?}");
        assert_eq!((large.width, large.height), (64, 43), "{way:?}");
    }
}

#[test]
fn several_files_can_be_written_into_a_directory() {
    let command = bandog(["run", "--script"]).arg(function("thumbnails.sh")).with_workspace();
    std::fs::write(command.home().join("picture.png"), colourful()).expect("writable");
    let ran = command.args(["--input", "picture.png", "--output", "pictures"]).run().expect(0);
    for (name, width) in [("grey.png", 120), ("thumbnails/32.png", 32), ("thumbnails/64.png", 64)] {
        let path = ran.home().join("pictures").join(name);
        let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}{ran}", path.display()));
        assert_eq!(Picture::decode("png", &file).width, width, "{name}{ran}");
    }
}

#[test]
fn a_text_becomes_speech() {
    let crossing = Crossing::to(&function("speak.sh"));
    for way in WAYS {
        let wav = crossing.send(way, ("text.txt", b"A watchdog barks at night."), "speech.wav");
        let number = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().expect("four bytes"));
        assert_eq!((&wav[..4], &wav[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]), "{way:?}");
        let (channels, bits) = (number(22) & 0xffff, number(34) & 0xffff);
        assert_eq!((channels, bits), (1, 16), "{way:?}: mono, 16 bits");
        assert_eq!(number(24), 22050, "{way:?}: samples a second");
        assert_eq!(&wav[36..40], b"data", "{way:?}");
        let samples: Vec<i16> = wav[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        assert!(samples.len() > 22050, "{way:?}: more than a second: {} samples", samples.len());
        let loud = samples.iter().filter(|sample| sample.unsigned_abs() > 1000).count();
        assert!(loud > samples.len() / 20, "{way:?}: not silence: {loud} loud samples of {}", samples.len());
    }
}

#[test]
fn frames_come_out_of_a_video() {
    // Three seconds: red, green, blue.
    let colour = |name: &str| format!("color=c={name}:s=64x48:d=1:r=5");
    let making = program("ffmpeg").args(["-hide_banner", "-loglevel", "error"]);
    let made = ["red", "lime", "blue"]
        .iter()
        .fold(making, |making, name| making.args(["-f", "lavfi", "-i", &colour(name)]))
        .args(["-filter_complex", "[0][1][2]concat=n=3:v=1", "-c:v", "mpeg4", "-q:v", "2", "video.mp4"])
        .run()
        .expect(0);
    let video = std::fs::read(made.home().join("video.mp4")).expect("a video");
    let crossing = Crossing::to(&function("frames.sh"));
    for way in WAYS {
        let entries = unzip(&crossing.send(way, ("video.mp4", &video), "frames.zip"));
        assert_eq!(names(&entries), ["frame-001.png", "frame-002.png", "frame-003.png"], "{way:?}");
        for (entry, channel) in entries.iter().zip(0..) {
            let (name, frame) = (entry.name(), Picture::decode("png", &entry.content));
            assert_eq!((frame.width, frame.height), (64, 48), "{way:?}: {name}");
            let middle = frame.middle();
            for (index, value) in middle.iter().enumerate() {
                // The codec is lossy.
                assert!(if index == channel { *value > 200 } else { *value < 55 }, "{way:?}: {name}: {middle:?}");
            }
        }
    }
}

#[test]
fn text_is_read_out_of_a_picture() {
    let text = ["-background", "white", "-fill", "black", "-font", "DejaVu-Sans", "-pointsize", "40"];
    let picture = paint(
        &[&text[..], &["-bordercolor", "white", "label:WATCHDOG 2026\nbarks twice", "-border", "20"]].concat(),
        "png",
    );
    let crossing = Crossing::to(&function("ocr.sh"));
    for way in WAYS {
        let read = String::from_utf8(crossing.send(way, ("picture.png", &picture), "text.txt")).expect("text");
        for word in ["WATCHDOG", "2026", "barks", "twice"] {
            assert!(read.contains(word), "{way:?}: no {word} in {read:?}");
        }
    }
}

#[test]
fn a_python_function_describes_a_table() {
    let crossing = Crossing::to(&function("describe.py"));
    for way in WAYS {
        let table = b"height,weight\n1,10\n2,20\n3,60\n";
        let result = crossing.send(way, ("table.csv", table), "statistics.json");
        let result: serde_json::Value = serde_json::from_slice(&result).expect("JSON");
        let wanted = serde_json::json!({
            "height": {"count": 3, "mean": 2.0, "median": 2.0, "stdev": 1.0, "min": 1.0, "max": 3.0},
            "weight": {"count": 3, "mean": 30.0, "median": 20.0, "stdev": 26.457_513_110_645_905, "min": 10.0, "max": 60.0},
        });
        assert_eq!(result, wanted, "{way:?}");
    }
}

#[test]
fn a_python_exception_is_a_failure_with_its_traceback() {
    let server = serve(function("describe.py")).start();
    let table = "height\ntall\n";
    let problem = server.post(encode(table)).send().problem(500);
    assert_eq!(problem["exit_code"], 1);
    let logs = problem["logs"].as_str().expect("logs");
    assert!(logs.contains("Traceback (most recent call last)") && logs.contains("'tall'"), "{logs}");

    let ran = bandog(["call", &server.url("/"), "--text-input", table]).run().expect(1);
    assert!(ran.complaint().contains("exit"), "the server's message is on stderr: {ran}");

    let ran = bandog(["run", "--text-input", table, "--script"])
        .arg(function("describe.py"))
        .with_workspace()
        .run()
        .expect(1);
    assert!(ran.complaint().contains("Traceback") || ran.text().contains("Traceback"), "{ran}");
}

#[test]
fn a_result_on_stdout_is_byte_for_byte_what_http_sends() {
    let picture = colourful();
    let server = serve(function("copy.sh")).quiet().start();
    let over_http = server.post(encode(&picture)).send().expect(200);
    let ran =
        bandog(["run", "--script"]).arg(function("copy.sh")).with_workspace().stdin(encode(&picture)).run().expect(0);
    assert_eq!(ran.stdout, over_http.body, "{ran}");
    assert_eq!(decode(&over_http.body), picture);
}
