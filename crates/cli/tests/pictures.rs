//! Pictures from the command line, against anvil.

mod common;

use std::fs;

use common::Workspace;
use cotrain_chain::anvil::AnvilConfig;
use serde_json::Value;

/// Returns a PNG of 4×4 pixels of a grey, with one of another grey.
fn png(grey: u8, at: usize) -> Vec<u8> {
    let mut pixels = [grey; 16];
    pixels[at] = 128;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 4, 4);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&pixels).expect("pixels");
    writer.finish().expect("an end");
    bytes
}

/// Puts ten pictures of each class into `pets`, and one in a folder without classes.
fn put_pictures(workspace: &Workspace) {
    for (class, grey) in [("day", 230), ("night", 20)] {
        let folder = workspace.path("pets").join(class);
        fs::create_dir_all(&folder).expect("a folder");
        for at in 0..10 {
            fs::write(folder.join(format!("{at}.png")), png(grey, at)).expect("written");
        }
    }
    fs::write(workspace.path("pets").join(".DS_Store"), "").expect("written");
    fs::create_dir(workspace.path("new")).expect("a folder");
    fs::write(workspace.path("new").join("a.png"), png(40, 3)).expect("written");
    fs::write(workspace.path("new").join("b,c.png"), png(200, 15)).expect("written");
}

#[test]
fn deploy_refuses_wrong_options_for_pictures() {
    let workspace = Workspace::new(&AnvilConfig::default());
    put_pictures(&workspace);
    let deploy = ["deploy", "--data", "pets", "--dev", "0", "--yes"];
    for (wrong, told) in [
        (
            &["--picture-size", "0x4"][..],
            "0x4 is no size of a model's pictures",
        ),
        (
            &["--picture-levels", "1"],
            "there are 1 levels of grey; expected 2 to 256",
        ),
        (&["--label-column", "kind", "--drop", "a"], "is for tables"),
        (
            &["--learner", "naive-bayes"],
            "take 2 levels, or the learner dense-nearest-centroid",
        ),
        (&["--test", "new"], "has no labeled pictures"),
    ] {
        let (status, stdout, stderr) = workspace.outcome(&[&deploy[..], wrong].concat());
        assert_eq!(
            (status, stdout.as_str()),
            (Some(2), ""),
            "{wrong:?}: {stderr}"
        );
        assert!(stderr.contains(told), "{wrong:?}: {stderr}");
    }
    let texts = workspace.mistake(&["deploy", "--picture-size", "4x4", "--dev", "0", "--yes"]);
    assert!(
        texts.contains("--picture-size is for a folder of pictures"),
        "{texts}"
    );
}

#[test]
fn predict_evaluate_and_contribute_take_pictures() {
    let workspace = Workspace::new(&AnvilConfig::default());
    put_pictures(&workspace);
    let deploy = ["deploy", "--data", "pets", "--dev", "0", "--yes"];
    let size = ["--picture-size", "2x2", "--picture-ink"];
    let (status, _, stderr) = workspace.outcome(&[&deploy[..], &size].concat());
    assert_eq!(status, Some(0), "{stderr}");
    for told in [
        "left out of `pets`: hidden: 1",
        "4 features (2x2 pixels of 256 levels of grey, black the largest)",
    ] {
        assert!(stderr.contains(told), "{stderr}");
    }

    assert_eq!(
        workspace.success(&["predict", "--picture", "new/a.png"]),
        "night\n"
    );
    let (status, stdout, stderr) = workspace.outcome(&["predict", "--data", "new"]);
    assert_eq!(status, Some(0), "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], "file,class,score,known,clipped");
    assert!(lines[1].starts_with("new/a.png,night,"), "{stdout}");
    assert!(lines[2].starts_with("\"new/b,c.png\",day,"), "{stdout}");
    assert_eq!(lines.len(), 3);
    let told = workspace.mistake(&["predict", "--data", "new", "--drop", "a"]);
    assert!(told.contains("--drop is for tables"), "{told}");
    let told = workspace.mistake(&["predict", "--picture", "new/c.png"]);
    assert!(told.contains("cannot read `new/c.png`"), "{told}");
    workspace.put("text.png", "no picture");
    let told = workspace.mistake(&["predict", "--picture", "text.png"]);
    assert!(told.contains("it is neither a PNG nor a JPEG"), "{told}");
    fs::write(workspace.path("cut.png"), &png(40, 3)[..50]).expect("written");
    let told = workspace.mistake(&["predict", "--picture", "cut.png"]);
    assert!(
        told.trim_end().ends_with("; save it again as a PNG"),
        "{told}"
    );

    let measured: Value = workspace.json(&["evaluate", "--data", "pets", "--json"]);
    assert_eq!(
        (&measured["n"], &measured["correct"]),
        (&20.into(), &20.into())
    );
    let row = workspace.success(&["predict", "--row", "25,25,25,25"]);
    assert_eq!(row, "day\n");
    let told = workspace.mistake(&["predict", "--row", "256,25,25,25"]);
    assert!(
        told.contains("pixel `r0c0` is 256, expected 0 to 255"),
        "{told}"
    );

    let by = ["--dev", "1", "--yes"];
    let one = [
        "contribute",
        "--picture",
        "pets/day/3.png",
        "--label",
        "day",
    ];
    workspace.success(&[&one[..], &by].concat());
    let many = [
        "contribute",
        "--data",
        "pets",
        "--limit",
        "4",
        "--allow-clipped",
    ];
    workspace.success(&[&many[..], &by].concat());
    // The exported rows are pixels, which are data for the model.
    workspace.success(&["data", "export", "--bare", "--out", "out.csv"]);
    let exported = workspace.read("out.csv");
    assert!(
        exported.starts_with("label,r0c0,r0c1,r1c0,r1c1\n"),
        "{exported}"
    );
    // Of the four, one is the same as the first and is left out.
    assert_eq!(exported.lines().count(), 5, "{exported}");
    let measured: Value = workspace.json(&["evaluate", "--data", "out.csv", "--json"]);
    assert_eq!(&measured["n"], &Value::from(4));
}

#[test]
fn predict_takes_pictures_for_the_digits_and_none_for_texts() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let deploy = ["deploy", "--dev", "0", "--yes"];
    let digits = ["--data", "digits", "--name", "digits"];
    let (status, _, stderr) = workspace.outcome(&[&deploy[..], &digits].concat());
    assert_eq!(status, Some(0), "{stderr}");
    let told = "64 features (8x8 pixels of 17 levels of grey, black the largest)";
    assert!(stderr.contains(told), "{stderr}");
    // A stroke in the middle is a 1, in a picture of another size.
    let mut pixels = vec![255; 40 * 40];
    for row in 2..38 {
        pixels[row * 40 + 17..row * 40 + 24].fill(0);
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 40, 40);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&pixels).expect("pixels");
    writer.finish().expect("an end");
    fs::write(workspace.path("one.png"), bytes).expect("written");
    let predict = ["predict", "--picture", "one.png"];
    assert_eq!(
        workspace.success(&[&predict[..], &["--model", "digits"]].concat()),
        "1\n"
    );

    let texts = ["--features", "100", "--name", "texts"];
    workspace.success(&[&deploy[..], &texts].concat());
    let told = workspace.mistake(&[&predict[..], &["--model", "texts"]].concat());
    assert!(
        told.contains("the model did not learn from pictures; give it"),
        "{told}"
    );
}
