//! The embedded data set is what its program draws.

#[path = "../assets/make_digits/mod.rs"]
mod make_digits;

use gpu_train::data::Dataset;

#[test]
fn the_embedded_bytes_are_what_the_program_draws() {
    let digits = Dataset::open("digits", None).expect("it is embedded");
    for (split, count, seed) in [(digits.train(), 10_000, 1), (digits.test(), 2_000, 2)] {
        let drawn = make_digits::draw(count, seed);
        assert_eq!((split.rows(), split.columns()), (make_digits::SIDE, make_digits::SIDE));
        assert!(split.images() == drawn.images, "the images of seed {seed} differ from assets/digits");
        assert!(split.labels() == drawn.labels, "the labels of seed {seed} differ from assets/digits");
    }
    assert_eq!(digits.classes(), 10);
}

/// The comparison above sees another seed.
#[test]
fn another_seed_draws_other_digits() {
    let digits = Dataset::open("digits", None).expect("it is embedded");
    let other = make_digits::draw(2_000, 3);
    assert!(digits.test().images() != other.images && digits.test().labels() != other.labels);
}
