//! Pictures: decoding, scaling, folders of them, and models of them.

use std::fs;
use std::path::{Path, PathBuf};

use cotrain_learning::data::{
    DataError, Example, FolderError, LeftOut, ModelColumns, ModelInputs, Schema, Source, load,
    load_more, pictures,
};
use cotrain_learning::encode::{EncodeError, Encoded, Options, encode, encode_with};
use cotrain_learning::input::{InputError, encode_labeled, encode_picture, encode_row};
use cotrain_learning::pictures::{Form, Grey, MAX_PIXELS, PictureError};
use cotrain_learning::train::{self, train};
use cotrain_learning::{Encoder, data};
use cotrain_protocol::classifier::Kind;
use png::{BitDepth, ColorType};
use proptest::prelude::*;

/// Committed pictures of 24×16 pixels: the left third is red, the rest white above and black below.
fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/pictures")
        .join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(committed(name)).unwrap()
}

fn form(size: &str, levels: u32, ink: bool) -> Form {
    Form::new(size.parse().unwrap(), Some(levels), ink).unwrap()
}

fn png(size: (u32, u32), color: ColorType, depth: BitDepth, data: &[u8]) -> Vec<u8> {
    png_with(size, color, depth, data, |_| {})
}

fn png_with(
    (width, height): (u32, u32),
    color: ColorType,
    depth: BitDepth,
    data: &[u8],
    set: impl Fn(&mut png::Encoder<'_, &mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    set(&mut encoder);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

/// Returns the greys of a picture of this size.
fn greys(bytes: &[u8], size: &str) -> Vec<f64> {
    form(size, 256, false).apply(&Grey::read(bytes, MAX_PIXELS).unwrap())
}

fn told(bytes: &[u8]) -> String {
    Grey::read(bytes, MAX_PIXELS).unwrap_err().to_string()
}

#[test]
fn read_takes_every_kind_of_png() {
    let eight = BitDepth::Eight;
    let grey = png((2, 1), ColorType::Grayscale, eight, &[7, 200]);
    assert_eq!(greys(&grey, "2x1"), [7.0, 200.0]);
    let bits = png((3, 1), ColorType::Grayscale, BitDepth::One, &[0b1010_0000]);
    assert_eq!(greys(&bits, "3x1"), [255.0, 0.0, 255.0]);
    let pairs = png((2, 1), ColorType::Grayscale, BitDepth::Two, &[0b0110_0000]);
    assert_eq!(greys(&pairs, "2x1"), [85.0, 170.0]);
    // 16 bits are rounded: 0x0080 is 0.498 of 255, and 0x0081 0.502.
    let wide = png(
        (3, 1),
        ColorType::Grayscale,
        BitDepth::Sixteen,
        &[0x00, 0x80, 0x00, 0x81, 0xff, 0xff],
    );
    assert_eq!(greys(&wide, "3x1"), [0.0, 1.0, 255.0]);
    // 0.299, 0.587 and 0.114 of 255.
    let colors = png(
        (3, 1),
        ColorType::Rgb,
        eight,
        &[255, 0, 0, 0, 255, 0, 0, 0, 255],
    );
    assert_eq!(greys(&colors, "3x1"), [76.0, 150.0, 29.0]);
    // What is transparent is white, and what is half so is half white.
    let black = [0, 0, 0];
    let opacities: Vec<u8> = [0, 128, 255]
        .into_iter()
        .flat_map(|opacity| [black[0], black[1], black[2], opacity])
        .collect();
    let clear = png((3, 1), ColorType::Rgba, eight, &opacities);
    assert_eq!(greys(&clear, "3x1"), [255.0, 127.0, 0.0]);
    let clear = png((2, 1), ColorType::GrayscaleAlpha, eight, &[0, 0, 0, 255]);
    assert_eq!(greys(&clear, "2x1"), [255.0, 0.0]);
    let palette = png_with(
        (4, 1),
        ColorType::Indexed,
        BitDepth::Two,
        &[0b0001_1000],
        |it| {
            it.set_palette(vec![255, 0, 0, 0, 0, 0, 9, 9, 9]);
            it.set_trns(vec![255, 255, 0]);
        },
    );
    assert_eq!(greys(&palette, "4x1"), [76.0, 0.0, 255.0, 76.0]);
    assert_eq!(
        greys(&bytes("palette.png"), "3x2"),
        greys(&bytes("colors.png"), "3x2")
    );
}

#[test]
fn read_takes_baseline_progressive_and_grey_jpeg_and_turns_them_upright() {
    let exact = [76.0, 255.0, 255.0, 76.0, 0.0, 0.0];
    assert_eq!(greys(&bytes("colors.png"), "3x2"), exact);
    for name in [
        "baseline.jpg",
        "progressive.jpg",
        "grey.jpg",
        "on-its-side.jpg",
    ] {
        let read = greys(&bytes(name), "3x2");
        let near = |(one, other): (&f64, f64)| (one - other).abs() <= 8.0;
        assert!(read.iter().zip(exact).all(near), "{name}: {read:?}");
    }
    // Cameras append data of their own.
    let mut trailed = bytes("baseline.jpg");
    trailed.extend(b"\0\0more \xff\xd8\xff");
    assert_eq!(greys(&trailed, "3x2"), greys(&bytes("baseline.jpg"), "3x2"));
    let size = |name| {
        let grey = Grey::read(&bytes(name), MAX_PIXELS).unwrap();
        (grey.width(), grey.height())
    };
    assert_eq!(size("baseline.jpg"), (24, 16));
    assert_eq!(size("on-its-side.jpg"), (24, 16));
}

#[test]
fn read_turns_pictures_by_each_orientation() {
    let upright = bytes("on-its-side.jpg");
    // The tag has 12 bytes: number, type, count and the value, which is 6 here.
    let tag = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6];
    let swapped = [0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0];
    let find = |tag: &[u8]| upright.windows(tag.len()).position(|it| it == tag);
    let value = find(&tag)
        .map(|at| at + 9)
        .or_else(|| find(&swapped).map(|at| at + 8));
    let value = value.expect("the tag");
    let as_stored = |orientation: u8| {
        let mut bytes = upright.clone();
        bytes[value] = orientation;
        let grey = Grey::read(&bytes, MAX_PIXELS).unwrap();
        let corners = form(
            if grey.width() < grey.height() {
                "2x3"
            } else {
                "3x2"
            },
            3,
            false,
        );
        corners.apply(&grey)
    };
    // Stored are white, black / white, black / red, red, with red as 1 of 0 to 2.
    assert_eq!(as_stored(1), [2.0, 0.0, 2.0, 0.0, 1.0, 1.0]);
    assert_eq!(as_stored(2), [0.0, 2.0, 0.0, 2.0, 1.0, 1.0]);
    assert_eq!(as_stored(3), [1.0, 1.0, 0.0, 2.0, 0.0, 2.0]);
    assert_eq!(as_stored(4), [1.0, 1.0, 2.0, 0.0, 2.0, 0.0]);
    assert_eq!(as_stored(5), [2.0, 2.0, 1.0, 0.0, 0.0, 1.0]);
    assert_eq!(as_stored(6), [1.0, 2.0, 2.0, 1.0, 0.0, 0.0]);
    assert_eq!(as_stored(7), [1.0, 0.0, 0.0, 1.0, 2.0, 2.0]);
    assert_eq!(as_stored(8), [0.0, 0.0, 1.0, 2.0, 2.0, 1.0]);
    for unknown in [0, 9, 255] {
        assert_eq!(as_stored(unknown), as_stored(1), "{unknown}");
    }
}

#[test]
fn read_refuses_other_files_and_pictures_with_too_many_pixels() {
    for other in [&b""[..], b"GIF89a", b"\x89PNG", b"\xff\xd8", b"<svg/>"] {
        assert_eq!(
            told(other),
            "it is neither a PNG nor a JPEG; convert it to one of them"
        );
    }
    let cmyk = told(&bytes("cmyk.jpg"));
    assert!(cmyk.starts_with("it is a JPEG of 4 colors"), "{cmyk}");
    for name in [
        "colors.png",
        "palette.png",
        "baseline.jpg",
        "progressive.jpg",
    ] {
        let whole = bytes(name);
        let told = told(&whole[..whole.len() * 3 / 4]);
        assert!(told.starts_with("it is damaged"), "{name}: {told}");
    }
    // The header of a PNG tells its size long before the pixels.
    let mut bomb = png((8, 8), ColorType::Grayscale, BitDepth::Eight, &[0; 64]);
    bomb[16..20].copy_from_slice(&100_000_u32.to_be_bytes());
    bomb[20..24].copy_from_slice(&100_000_u32.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    assert_eq!(
        told(&bomb),
        "it has 100000x100000 pixels, more than the 33554432 that are read; make it smaller"
    );
    let mut bomb = bytes("baseline.jpg");
    let frame = bomb.windows(2).position(|it| it == [0xff, 0xc0]).unwrap();
    bomb[frame + 5..frame + 9].fill(0xff);
    assert!(told(&bomb).starts_with("it has 65535x65535 pixels"));
    let small = Grey::read(&bytes("colors.png"), 24 * 16 - 1).unwrap_err();
    assert!(matches!(small, PictureError::Pixels { max: 383, .. }));
    for (width, height, bytes) in [(0, 1, 0), (1, 1, 3), (2, 2, 17), (u32::MAX, 1, 4)] {
        Grey::of_rgba(width, height, &vec![0; bytes]).unwrap_err();
    }
}

/// Writes a folder of pictures of one color each: of the class `dark` and of the class `light`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (class, greys) in [("light", [200, 210, 220, 230]), ("dark", [10, 20, 30, 40])] {
        let class = folder.path().join(class);
        fs::create_dir(&class).unwrap();
        for (number, grey) in greys.into_iter().enumerate() {
            let data = [grey, 255 - grey, grey, grey];
            let picture = png((2, 2), ColorType::Grayscale, BitDepth::Eight, &data);
            fs::write(class.join(format!("{number}.png")), picture).unwrap();
        }
    }
    folder
}

fn source(folder: &Path, form: Form) -> Source {
    Source::Pictures {
        train: folder.to_owned(),
        test: None,
        form,
    }
}

#[test]
fn load_reads_folders_in_the_order_of_names_and_tells_what_it_leaves_out() {
    let folder = folder();
    let path = folder.path();
    assert!(source(path, Form::default()).left_out().unwrap().is_empty());
    for (name, text) in [
        (".DS_Store", "x"),
        ("readme.txt", "x"),
        ("stray.png", "x"),
        ("dark/.hidden.png", "x"),
        ("dark/notes.md", "x"),
    ] {
        fs::write(path.join(name), text).unwrap();
    }
    fs::create_dir_all(path.join("light/more")).unwrap();
    fs::create_dir(path.join("empty")).unwrap();
    fs::rename(path.join("dark/3.png"), path.join("dark/3.PNG")).unwrap();
    let of = source(path, form("2x1", 256, false));
    let left_out = LeftOut {
        hidden: 2,
        others: 2,
        misplaced: 2,
        empty: 1,
    };
    assert_eq!(of.left_out().unwrap(), [(path.to_owned(), left_out)]);
    assert_eq!(
        left_out.to_string(),
        "hidden: 2; neither .png, .jpg nor .jpeg: 2; not directly in the folder of a class: 2; folders without pictures: 1"
    );
    let dataset = load(&of, 0.25, 1).unwrap();
    assert_eq!(dataset.classes, ["dark", "light"]);
    assert_eq!(dataset.columns, ["r0c0", "r0c1"]);
    assert_eq!(dataset.pictures, Some(form("2x1", 256, false)));
    assert_eq!(
        (dataset.train.labels().len(), dataset.test.labels().len()),
        (6, 2)
    );
    assert!(dataset.row_numbers().is_empty());
    let classes = ["light".to_owned(), "dark".to_owned()];
    let all = load_more(&of, &classes, ModelInputs::default()).unwrap();
    assert_eq!(all.labels(), [1, 1, 1, 1, 0, 0, 0, 0]);
    let first = all.examples().next().unwrap();
    // The mean of 245 and 10, and of 10 and 10.
    assert_eq!(first, Example::Numbers(&[10.0, 128.0]));
    // Everything below the folder is read for predictions, except what is hidden.
    fs::remove_file(path.join("stray.png")).unwrap();
    fs::copy(path.join("dark/0.png"), path.join("light/more/z.png")).unwrap();
    let all = pictures(path, form("1x1", 256, false)).unwrap();
    let names: Vec<_> = all
        .iter()
        .map(|(file, _)| file.strip_prefix(path).unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names[3..5], ["dark/3.PNG", "light/0.png"]);
    assert_eq!(names[8], "light/more/z.png");
    // (10 + 245 + 10 + 10) / 4 = 68.75.
    assert_eq!(all[8].1, [69.0]);
}

#[test]
fn load_names_damaged_pictures_and_folders_without_any() {
    let folder = folder();
    let path = folder.path();
    let of = source(path, Form::default());
    fs::write(path.join("dark/1.png"), "no picture").unwrap();
    fs::write(path.join("light/2.png"), b"\x89PNG\r\n\x1a\nno more").unwrap();
    let told = load(&of, 0.2, 1).unwrap_err().to_string();
    assert!(told.contains("has 2 pictures that cannot be read; correct or remove them:\n  dark/1.png: it is neither a PNG nor a JPEG"), "{told}");
    assert!(told.contains("\n  light/2.png: it is damaged: "), "{told}");
    let empty = tempfile::tempdir().unwrap();
    fs::write(empty.path().join("stray.png"), "x").unwrap();
    let error = load(&source(empty.path(), Form::default()), 0.2, 1).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has no labeled pictures; expected a folder a class")
    );
    fs::remove_file(empty.path().join("stray.png")).unwrap();
    let error = pictures(empty.path(), Form::default()).unwrap_err();
    assert!(matches!(error, FolderError::NoPictures { .. }));
    let error = load(&source(&path.join("missing"), Form::default()), 0.2, 1).unwrap_err();
    assert!(matches!(
        error,
        DataError::Pictures(FolderError::Read { .. })
    ));
    let one = path.join("only");
    fs::create_dir_all(one.join("dark")).unwrap();
    fs::copy(path.join("dark/0.png"), one.join("dark/0.png")).unwrap();
    let error = load(&source(&one, Form::default()), 0.2, 1).unwrap_err();
    assert!(
        matches!(error, DataError::TooFew { .. } | DataError::OneClass { .. }),
        "{error}"
    );
}

#[test]
fn source_is_a_folder_of_pictures_if_it_is_a_folder() {
    let folder = folder();
    let name = folder.path().to_str().unwrap();
    let named = Source::named(name, None, "label", None).unwrap();
    assert_eq!(named, source(folder.path(), Form::default()));
    let eight = form("8x8", 17, true);
    assert_eq!(
        named.with_form(eight, "--picture-size").unwrap(),
        source(folder.path(), eight)
    );
    let told = Source::Digits
        .with_form(eight, "--picture-size")
        .unwrap_err();
    assert_eq!(
        told.to_string(),
        "--picture-size is for a folder of pictures; leave it out for `digits`"
    );
}

fn digits(kind: Kind) -> Encoded {
    encode(&load(&Source::Digits, 0.2, 1).unwrap(), kind, None).unwrap()
}

#[test]
fn encoder_of_digits_takes_pictures() {
    let all = digits(Kind::DenseNearestCentroid);
    let encoder = &all.encoder;
    assert_eq!(encoder.pictures(), Some(form("8x8", 17, true)));
    assert_eq!(
        encoder.summary().as_deref(),
        Some("8x8 pixels of 17 levels of grey, black the largest")
    );
    assert_eq!(encoder.name(63).as_deref(), Some("r7c7"));
    let card = serde_json::to_value(encoder).unwrap();
    let features =
        serde_json::json!({"pictures": {"width": 8, "height": 8, "levels": 17, "ink": true}});
    assert_eq!(card["features"], features);
    let read: Encoder = serde_json::from_value(card).unwrap();
    // A digit as a PNG of three times the size is the sample of its row.
    let part = load_more(&Source::Digits, &all.classes, read.inputs()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for example in part.examples().take(20) {
        let Example::Numbers(levels) = example else {
            panic!("{example:?}");
        };
        // Levels of 0 to 16, so that nothing is cut off.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let grey = |at: usize| 255 - (levels[at] / 16.0 * 255.0).round() as u8;
        let data: Vec<u8> = (0..24 * 24)
            .map(|pixel| grey(pixel / 24 / 3 * 8 + pixel % 24 / 3))
            .collect();
        let file = folder.path().join("digit.png");
        let bytes = png((24, 24), ColorType::Grayscale, BitDepth::Eight, &data);
        fs::write(&file, bytes).unwrap();
        let picture = encode_picture(&read, &file).unwrap();
        assert_eq!(picture.sample, encoder.encode(example).unwrap());
        assert_eq!((picture.clipped, picture.known), (0, Some(64)));
        let row: Vec<String> = levels.iter().map(f64::to_string).collect();
        assert_eq!(encode_row(&read, &row.join(",")).unwrap(), picture);
    }
    let outside = read.encode(Example::Numbers(&[17.0; 64])).unwrap_err();
    assert_eq!(
        outside.to_string(),
        "pixel `r0c0` is 17, expected 0 to 16 for 8x8 pixels of 17 levels of grey, black the largest"
    );
    let short = read.encode(Example::Numbers(&[1.0; 63])).unwrap_err();
    assert!(
        short.to_string().contains("the 8x8 pixels, row by row"),
        "{short}"
    );
    let settings = train::Options::default();
    let trained = train(Kind::DenseNearestCentroid, &all.train, &settings, &all.test);
    // As a table of 64 columns, the digits gave the same.
    let accuracy = trained.unwrap().quantization.accuracy_quantized;
    assert!(accuracy > 0.88, "{accuracy}");
}

#[test]
fn encode_takes_two_levels_for_learners_of_what_is_present() {
    let folder = folder();
    for kind in Kind::ALL {
        let of =
            |levels| load(&source(folder.path(), form("2x2", levels, false)), 0.25, 1).unwrap();
        let two = encode(&of(2), kind, None).unwrap();
        assert_eq!(two.encoder.features(), 4);
        let (sample, _) = two.train.get(0);
        assert!(!sample.is_empty());
        let many = encode(&of(3), kind, None);
        if matches!(kind, Kind::DensePerceptron | Kind::DenseNearestCentroid) {
            many.unwrap();
        } else {
            let told = many.unwrap_err();
            assert_eq!(told, EncodeError::PicturesAreNumbers { kind, levels: 3 });
            let reserved = Options {
                reserved: vec!["more".to_owned()],
                ..Options::default()
            };
            encode_with(&of(2), kind, &reserved).unwrap_err();
        }
        encode(&of(2), kind, Some(4)).unwrap();
        let told = encode(&of(2), kind, Some(3)).unwrap_err();
        assert_eq!(
            told,
            EncodeError::NotTheExtractors {
                features: 3,
                made: 4
            }
        );
    }
}

#[test]
fn encoder_refuses_cards_of_impossible_pictures() {
    let read = |features: &str, more: &str| {
        let card =
            format!(r#"{{"classifier":"naive-bayes","features":{{"pictures":{features}}}{more}}}"#);
        serde_json::from_str::<Encoder>(&card).map_err(|error| error.to_string())
    };
    read(r#"{"width":256,"height":256,"levels":2}"#, "").unwrap();
    for (features, more, told) in [
        (r#"{"width":0,"height":8,"levels":2}"#, "", "0x8 is no size"),
        (
            r#"{"width":257,"height":256,"levels":2}"#,
            "",
            "257x256 is no size",
        ),
        (
            r#"{"width":4,"height":8,"levels":1}"#,
            "",
            "1 levels of grey; expected 2 to 256",
        ),
        (r#"{"width":4,"height":8,"levels":257}"#, "", "257 levels"),
        (
            r#"{"width":4,"height":8,"levels":3}"#,
            "",
            "a pixel has 3 levels of grey",
        ),
        (r#"{"width":4,"height":8}"#, "", "missing field `levels`"),
        (
            r#"{"width":4,"height":8,"levels":2,"color":1}"#,
            "",
            "unknown field `color`",
        ),
        (
            r#"{"width":4,"height":8,"levels":2}"#,
            r#","reserved":1"#,
            "a picture has all its pixels",
        ),
        (
            r#"{"width":4,"height":8,"levels":2}"#,
            r#","tokenizer":"unicode""#,
            "none of texts",
        ),
    ] {
        let error = read(features, more).unwrap_err();
        assert!(error.contains(told), "{features}: {error}");
    }
    let wide = r#"{"classifier":"dense-nearest-centroid","features":{"pictures":{"width":65,"height":64,"levels":9}},"scaling":{"mean":[],"deviation":[]}}"#;
    let error = serde_json::from_str::<Encoder>(wide)
        .unwrap_err()
        .to_string();
    assert!(error.contains("there are 4160 features"), "{error}");
}

#[test]
fn encode_labeled_refuses_pictures_of_another_sort_of_model() {
    let folder = folder();
    let of = source(folder.path(), Form::default());
    let classes = ["dark".to_owned(), "light".to_owned()];
    let encoder = |json: &str| serde_json::from_str::<Encoder>(json).unwrap();
    let pixels = encoder(
        r#"{"classifier":"naive-bayes","features":{"pictures":{"width":2,"height":1,"levels":2}}}"#,
    );
    // The model's own form counts.
    let samples = encode_labeled(&pixels, &of, &classes).unwrap().samples;
    assert_eq!(samples.len(), 8);
    assert_eq!((samples[0].0, &*samples[0].1.sample), (0, &[0, 1][..]));
    let table = encoder(r#"{"classifier":"naive-bayes","features":{"columns":["r0c0","r0c1"]}}"#);
    let told = |encoder| encode_labeled(encoder, &of, &classes).unwrap_err();
    let error = told(&table).to_string();
    assert!(error.contains("the model learned from a table"), "{error}");
    let words = encoder(r#"{"classifier":"naive-bayes","features":{"words":["good"]}}"#);
    let error = told(&words);
    assert!(matches!(
        error,
        InputError::Example {
            source: EncodeError::WrongSort { .. },
            ..
        }
    ));
    let file = folder.path().join("dark/0.png");
    for other in [&table, &words] {
        let error = encode_picture(other, &file).unwrap_err();
        assert_eq!(error.to_string(), "the model did not learn from pictures");
    }
    let error = encode_picture(&pixels, Path::new("missing.png")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read `missing.png`");
    // Digits are pictures of one form.
    let error = load_more(&Source::Digits, &classes, pixels.inputs()).unwrap_err();
    assert!(
        error.to_string().contains("has pictures of 8x8 pixels of 17 levels of grey, black the largest, but the model takes 2x1 pixels of 2 levels"),
        "{error}"
    );
    // A model that was founded on the table of digits still takes them.
    let schema = Schema::numbers(form("8x8", 17, true).names()).unwrap();
    let old = ModelInputs {
        columns: Some(ModelColumns {
            schema: &schema,
            reserved: 0,
        }),
        ..ModelInputs::default()
    };
    let numbers: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    assert_eq!(
        load_more(&Source::Digits, &numbers, old)
            .unwrap()
            .labels()
            .len(),
        1_797
    );
    assert_eq!(
        data::load_for(&Source::Digits, 0.2, 1, old)
            .unwrap()
            .pictures,
        None
    );
}

proptest! {
    #[test]
    fn read_never_panics_and_keeps_its_bounds(
        name in prop::sample::select(vec![
            "baseline.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "on-its-side.jpg", "colors.png", "palette.png",
        ]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = bytes(name);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        if let Ok(grey) = Grey::read(&bytes, 1 << 16) {
            prop_assert!(u64::from(grey.width()) * u64::from(grey.height()) <= 1 << 16);
            let form = form("5x3", 17, true);
            let levels = form.apply(&grey);
            prop_assert!(levels.iter().all(|level| (0.0..=16.0).contains(level)));
            prop_assert_eq!(levels.len(), 15);
        }
    }

    #[test]
    fn read_never_panics_on_the_chunks_of_a_png(
        chunks in prop::collection::vec(
            (
                prop::sample::select(vec![*b"IHDR", *b"PLTE", *b"tRNS", *b"IDAT", *b"fcTL", *b"acTL", *b"fdAT", *b"eXIf", *b"IEND"]),
                prop::collection::vec(any::<u8>(), 0..40),
            ),
            0..6,
        ),
        header in (1_u8..20, 1_u8..20, prop::sample::select(vec![1_u8, 2, 4, 8, 16]), prop::sample::select(vec![0_u8, 2, 3, 4, 6]), 0_u8..2),
    ) {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        let (width, height, depth, color, interlaced) = header;
        let head = vec![0, 0, 0, width, 0, 0, 0, height, depth, color, 0, 0, interlaced];
        for (name, data) in std::iter::once((*b"IHDR", head)).chain(chunks) {
            bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
            let start = bytes.len();
            bytes.extend(name);
            bytes.extend(data);
            let mut crc = flate2::Crc::new();
            crc.update(&bytes[start..]);
            bytes.extend(crc.sum().to_be_bytes());
        }
        if let Ok(grey) = Grey::read(&bytes, 1 << 16) {
            prop_assert_eq!((grey.width(), grey.height()), (width.into(), height.into()));
        }
    }
}
