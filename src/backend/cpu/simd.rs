//! Loops compiled several times, for the vector units that processors have, and chosen when the program runs.
//!
//! A kernel's inner loop is a plain generic function over a [`Float`], written so that the compiler vectorises it;
//! [`vectorized!`] makes the versions and the choice.

use std::sync::OnceLock;

use super::math::{LANES, Lanes};

/// What multiplication and addition are on the target: one rounding, or two.
///
/// The forms for all lanes say with intrinsics what a loop over the lanes says: compilers make whole vectors of most
/// such loops, but of long chains in a loop over something else now and then a dozen fragments. They are for those.
pub(super) trait Float {
    /// Whether twenty sums of lanes fit the registers.
    const MANY_REGISTERS: bool = false;
    /// `a * b + c`
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
    /// `a * b + c` in float64.
    fn mul_add_wide(a: f64, b: f64, c: f64) -> f64;
    /// `a * b + c`, lane by lane.
    #[inline(always)]
    fn mul_add_lanes(a: &Lanes, b: &Lanes, c: &Lanes) -> Lanes {
        let mut out = [0.0; LANES];
        for lane in 0..LANES {
            out[lane] = Self::mul_add(a[lane], b[lane], c[lane]);
        }
        out
    }
    /// `a * b`, lane by lane.
    #[inline(always)]
    fn mul_lanes(a: &Lanes, b: &Lanes) -> Lanes {
        let mut out = [0.0; LANES];
        for lane in 0..LANES {
            out[lane] = a[lane] * b[lane];
        }
        out
    }
    /// `a - b`, lane by lane.
    #[inline(always)]
    fn sub_lanes(a: &Lanes, b: &Lanes) -> Lanes {
        let mut out = [0.0; LANES];
        for lane in 0..LANES {
            out[lane] = a[lane] - b[lane];
        }
        out
    }
}

/// The target has a fused instruction.
pub(super) struct Fused;

/// It has none; a fused result would cost a library call.
#[cfg(any(test, not(target_arch = "aarch64")))]
pub(super) struct Separate;

impl Float for Fused {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn mul_add_wide(a: f64, b: f64, c: f64) -> f64 {
        a.mul_add(b, c)
    }
}

/// [`Fused`] with vectors of AVX-512.
#[cfg(target_arch = "x86_64")]
pub(super) struct Avx512;

/// [`Fused`] with vectors of AVX2.
#[cfg(target_arch = "x86_64")]
pub(super) struct Avx2;

/// [`Fused`] with each lanes' form made of an instruction for `$width` lanes at a time.
#[cfg(target_arch = "x86_64")]
macro_rules! fused_vectors {
    ($name:ident, $many_registers:literal, $width:literal, $load:ident, $store:ident, $($form:ident($($x:ident),+) = $instruction:ident),+) => {
        impl Float for $name {
            const MANY_REGISTERS: bool = $many_registers;

            #[inline(always)]
            fn mul_add(a: f32, b: f32, c: f32) -> f32 {
                Fused::mul_add(a, b, c)
            }

            #[inline(always)]
            fn mul_add_wide(a: f64, b: f64, c: f64) -> f64 {
                Fused::mul_add_wide(a, b, c)
            }

            $(
                #[inline(always)]
                fn $form($($x: &Lanes),+) -> Lanes {
                    use std::arch::x86_64::{$instruction, $load, $store};
                    let mut out = [0.0; LANES];
                    for first in (0..LANES).step_by($width) {
                        // SAFETY: `vectorized!` alone names this type, for processors that have these instructions; each
                        // slice holds a vector from `first` on, as `LANES` is a multiple of its width.
                        unsafe { $store(out[first..].as_mut_ptr(), $instruction($($load($x[first..].as_ptr())),+)) };
                    }
                    out
                }
            )+
        }
    };
}

#[cfg(target_arch = "x86_64")]
fused_vectors!(
    Avx512,
    true,
    16,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    mul_add_lanes(a, b, c) = _mm512_fmadd_ps,
    mul_lanes(a, b) = _mm512_mul_ps,
    sub_lanes(a, b) = _mm512_sub_ps
);
#[cfg(target_arch = "x86_64")]
fused_vectors!(
    Avx2,
    false,
    8,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    mul_add_lanes(a, b, c) = _mm256_fmadd_ps,
    mul_lanes(a, b) = _mm256_mul_ps,
    sub_lanes(a, b) = _mm256_sub_ps
);

#[cfg(any(test, not(target_arch = "aarch64")))]
impl Float for Separate {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }

    #[inline(always)]
    fn mul_add_wide(a: f64, b: f64, c: f64) -> f64 {
        a * b + c
    }
}

/// The vector instructions that this processor offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// What every processor of this architecture has.
    Plain,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

/// The best level of this processor; `GPU_TRAIN_SIMD=plain|avx2` lowers it, for tests and comparisons.
pub(super) fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(|| {
        let most = match std::env::var("GPU_TRAIN_SIMD").as_deref() {
            Ok("plain") => Level::Plain,
            Ok("avx2") => Level::Avx2,
            _ => Level::Avx512,
        };
        most.min(detected())
    })
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Level {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    if avx2 && avx512 {
        Level::Avx512
    } else if avx2 {
        Level::Avx2
    } else {
        Level::Plain
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detected() -> Level {
    Level::Plain
}

/// What multiply-add is without asking the processor: every 64-bit Arm has it fused.
#[cfg(target_arch = "aarch64")]
pub(super) type Baseline = Fused;
/// What multiply-add is without asking the processor.
#[cfg(not(target_arch = "aarch64"))]
pub(super) type Baseline = Separate;

/// Makes `fn name(args)` that runs the `#[inline(always)]` generic function `body::<impl Float>(args)`, compiled
/// for the best level of this processor.
macro_rules! vectorized {
    ($(#[$meta:meta])* $visibility:vis fn $name:ident $(<$life:lifetime>)? ($($arg:ident: $type:ty),* $(,)?) = $body:ident) => {
        $(#[$meta])*
        $visibility fn $name $(<$life>)? ($($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                use $crate::backend::cpu::simd::{Avx2, Avx512, Level, level};
                #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512 $(<$life>)? ($($arg: $type),*) {
                    $body::<Avx512>($($arg),*);
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$life>)? ($($arg: $type),*) {
                    $body::<Avx2>($($arg),*);
                }
                match level() {
                    // SAFETY: `level` asked the processor for exactly these features.
                    Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    Level::Avx2 => return unsafe { avx2($($arg),*) },
                    Level::Plain => {}
                }
            }
            $body::<$crate::backend::cpu::simd::Baseline>($($arg),*);
        }
    };
}

pub(super) use vectorized;
