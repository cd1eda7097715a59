//! Pictures decoded to pixels by ImageMagick, so that tests look at what is in them.

use super::program;

/// Pixels of a picture, row by row.
#[derive(Debug)]
pub(crate) struct Picture {
    /// In pixels.
    pub(crate) width: usize,
    /// In pixels.
    pub(crate) height: usize,
    /// Red, green, blue.
    pub(crate) pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Decodes a file of a kind that ImageMagick knows (`png`).
    #[track_caller]
    pub(crate) fn decode(kind: &str, file: &[u8]) -> Self {
        let from = format!("{kind}:-");
        let ran = program("convert")
            .args([&from, "-colorspace", "sRGB", "-type", "TrueColor", "-depth", "8", "ppm:-"])
            .stdin(file)
            .run()
            .expect(0);
        // `P6`, width, height, 255, each on a line or after a blank, then the samples.
        let mut fields = ran.stdout.splitn(5, u8::is_ascii_whitespace);
        let mut field = || fields.next().expect("a PPM field");
        assert_eq!(field(), b"P6");
        let [width, height, depth] = [field(), field(), field()]
            .map(|digits| std::str::from_utf8(digits).expect("digits").parse::<usize>().expect("a number"));
        assert_eq!(depth, 255);
        let pixels: Vec<[u8; 3]> = field().chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]).collect();
        assert_eq!(pixels.len(), width * height);
        Self { width, height, pixels }
    }

    /// The colour in the middle.
    pub(crate) fn middle(&self) -> [u8; 3] {
        self.pixels[self.height / 2 * self.width + self.width / 2]
    }

    /// Whether no pixel has a colour.
    pub(crate) fn is_grey(&self) -> bool {
        self.pixels.iter().all(|[red, green, blue]| red == green && green == blue)
    }

    /// How many different colours there are.
    pub(crate) fn colours(&self) -> usize {
        self.pixels.iter().collect::<std::collections::HashSet<_>>().len()
    }
}

/// Makes a picture with ImageMagick's `convert ARGUMENTS… KIND:-`.
#[track_caller]
pub(crate) fn paint(arguments: &[&str], kind: &str) -> Vec<u8> {
    program("convert").args(arguments).arg(format!("{kind}:-")).run().expect(0).stdout
}
