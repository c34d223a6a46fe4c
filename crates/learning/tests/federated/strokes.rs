//! Vectors of digits that are drawn in the page: their pictures, and an update trained on them.

use alloy_primitives::hex;
use cotrain_learning::federated::{Network, Order, Shape, Training, quantize};
use cotrain_protocol::federated::{Chunks, Sample, Softmax, Width, add_update, encode_update};
use serde_json::{Value, json};

use super::check;

/// Pixels of a side of the raster, of a block of it, and of a picture.
const GRID: usize = 32;
const BLOCK: usize = 4;
const SIDE: usize = 8;

/// Radius of the pen, in pixels of the raster.
const PEN: f64 = 1.8;

/// Units of weights are `2^-SCALE`.
const SCALE: u32 = 6;

/// Size of the chunks of an update's root, in bytes.
const CHUNK: usize = 256;

/// Number of drawn examples of each digit; the last one is not learned from.
const COPIES: u32 = 4;

type Point = (f64, f64);

/// Strokes of the ten digits, on a board of 100 by 100 units.
const DIGITS: [&[&[(u32, u32)]]; 10] = [
    &[&[
        (50, 0),
        (20, 25),
        (20, 75),
        (50, 100),
        (80, 75),
        (80, 25),
        (50, 0),
    ]],
    &[&[(35, 20), (55, 0), (55, 100)]],
    &[&[(20, 20), (50, 0), (80, 25), (20, 100), (85, 100)]],
    &[&[(20, 5), (75, 5), (45, 45), (80, 70), (50, 100), (15, 90)]],
    &[&[(55, 0), (15, 65), (85, 65)], &[(65, 30), (65, 100)]],
    &[
        &[(25, 0), (20, 45), (65, 45), (80, 70), (55, 100), (15, 95)],
        &[(25, 0), (80, 0)],
    ],
    &[&[
        (70, 0),
        (25, 50),
        (25, 85),
        (55, 100),
        (75, 75),
        (50, 55),
        (25, 70),
    ]],
    &[&[(15, 0), (85, 0), (40, 100)]],
    &[&[
        (50, 50),
        (20, 25),
        (50, 0),
        (80, 25),
        (50, 50),
        (15, 75),
        (50, 100),
        (85, 75),
        (50, 50),
    ]],
    &[&[(75, 40), (45, 50), (25, 25), (50, 0), (75, 20), (70, 100)]],
];

/// Draws a digit by an unsteady hand, somewhere on a board of 1,024 by 1,024 units.
fn drawn(order: &mut Order, digit: usize) -> Vec<Vec<(u32, u32)>> {
    let (size, left, top) = (3 + order.below(4), order.below(300), order.below(300));
    let mut place = |at: u32| at * size + order.below(12 * size);
    let strokes = DIGITS[digit].iter();
    strokes
        .map(|stroke| {
            let points = stroke.iter();
            points
                .map(|&(x, y)| (left + place(x), top + place(y)))
                .collect()
        })
        .collect()
}

/// Returns the levels of grey of some strokes, by rules of the page that are written here anew.
fn levels(strokes: &[Vec<(u32, u32)>]) -> Vec<u8> {
    let points = || strokes.iter().flatten();
    let bounds = |of: fn(&(u32, u32)) -> u32| {
        let (least, most) = (points().map(of).min(), points().map(of).max());
        (least.unwrap_or(0), most.unwrap_or(0))
    };
    let ((left, right), (top, bottom)) = (bounds(|it| it.0), bounds(|it| it.1));
    let size = (right - left).max(bottom - top).max(1);
    let scale = (32.0 - 2.0 * PEN) / f64::from(size);
    let moved = |&(x, y): &(u32, u32)| {
        let place = |at: u32, from: u32| PEN + f64::from(at - from) * scale;
        (place(x, left), place(y, top))
    };
    let mut ink: Vec<(usize, usize)> = Vec::new();
    for y in 0..GRID {
        for x in 0..GRID {
            let center = |at: usize| f64::from(u32::try_from(at).expect("small")) + 0.5;
            let at = (center(x), center(y));
            let hit = strokes.iter().any(|stroke| {
                let stroke: Vec<Point> = stroke.iter().map(moved).collect();
                match &stroke[..] {
                    [dot] => near(*dot, *dot, at),
                    line => line.windows(2).any(|pair| near(pair[0], pair[1], at)),
                }
            });
            if hit {
                ink.push((x, y));
            }
        }
    }
    let shift = |of: fn(&(usize, usize)) -> usize| {
        let (count, sum) = (ink.len(), ink.iter().map(of).sum::<usize>());
        let last = ink.iter().map(of).max().unwrap_or(0);
        let wanted = (count * GRID / 2).saturating_sub(sum) / count.max(1);
        wanted.min(GRID - 1 - last)
    };
    let (across, down) = (shift(|it| it.0), shift(|it| it.1));
    let mut levels = vec![0; SIDE * SIDE];
    for (x, y) in ink {
        levels[(y + down) / BLOCK * SIDE + (x + across) / BLOCK] += 1;
    }
    levels
}

/// Returns `true` if a place is within the pen's radius of a line.
fn near(from: Point, to: Point, (x, y): Point) -> bool {
    let (across, down) = (to.0 - from.0, to.1 - from.1);
    let length = across * across + down * down;
    let along = (x - from.0) * across + (y - from.1) * down;
    let share = if length > 0.0 {
        (along / length).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let (dx, dy) = (from.0 + share * across - x, from.1 + share * down - y);
    dx * dx + dy * dy <= PEN * PEN
}

/// Sums the losses of a model over samples, in 1/256 bit.
fn loss_of(model: &Softmax, weights: &[i16], samples: &[Sample<'_>]) -> i64 {
    -model.values(weights, &[], samples).expect("valid").base
}

#[test]
fn train_learns_from_strokes() {
    let mut order = Order::new(28);
    let mut drawings: Vec<Value> = Vec::new();
    let (mut features, mut labels) = (Vec::new(), Vec::new());
    let mut held: Vec<(u16, Vec<u8>)> = Vec::new();
    for copy in 0..COPIES {
        for label in 0..10_u16 {
            let strokes = drawn(&mut order, label.into());
            let levels = levels(&strokes);
            assert!(levels.iter().all(|it| *it <= 16), "{levels:?}");
            // A digit fills all rows or all columns, as the embedded ones do.
            let lines = |step: usize, other: usize| {
                (0..SIDE).all(|line| (0..SIDE).any(|at| levels[line * step + at * other] > 0))
            };
            assert!(lines(SIDE, 1) || lines(1, SIDE), "{levels:?}");
            drawings.push(json!({"label": label, "strokes": strokes, "levels": levels}));
            if copy + 1 == COPIES {
                held.push((label, levels));
            } else {
                features.extend(levels);
                labels.push(label);
            }
        }
    }
    for strokes in [vec![], vec![vec![(500, 9)]], vec![vec![(3, 3), (900, 3)]]] {
        drawings.push(json!({"label": null, "strokes": strokes, "levels": levels(&strokes)}));
    }
    let shape = Shape {
        features: SIDE * SIDE,
        hidden: 0,
        classes: 10,
        max_feature: 16,
    };
    let terms = Training {
        epochs: 5,
        rate: 0.5,
        batch: 16,
        seed: 1_603,
    };
    let base: Vec<i16> = (0..shape.parameters())
        .map(|_| i16::try_from(order.below(7)).expect("small") - 3)
        .collect();
    let change = Network::new(shape, SCALE, &base).train(&features, &labels, &terms);
    let update = quantize(Width::Eight, SCALE, &change);
    let bytes = encode_update(Width::Eight, &update).expect("clipped");
    let mut after = base.clone();
    add_update(&mut after, &update);
    let model = Softmax::new(SIDE * SIDE, 10, 16, SCALE).expect("a model");
    let held: Vec<Sample<'_>> = held
        .iter()
        .map(|(label, features)| Sample {
            label: *label,
            features,
        })
        .collect();
    let losses = [&base, &after].map(|weights| loss_of(&model, weights, &held));
    assert!(losses[1] * 4 < losses[0] * 3, "{losses:?}");
    let all = json!({"vectors": [
        {"about": "drawings", "drawings": drawings},
        {
            "about": "update",
            "epochs": 5, "rate": 0.5, "batch": 16, "seed": 1_603, "scale": SCALE, "chunk": CHUNK,
            "learned": features.len() / (SIDE * SIDE), "base": base,
            "bytes": hex::encode(&bytes), "root": Chunks::new(&bytes, CHUNK).root(),
            "lossBefore": losses[0], "lossAfter": losses[1],
        },
    ]});
    check("federated-strokes.json", &all);
}
