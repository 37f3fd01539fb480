//! Loops compiled several times, for the vector units that processors have, and chosen when the program runs.
//!
//! A kernel's inner loop is a plain generic function over a [`Float`], written so that the compiler vectorises it;
//! [`vectorized!`] makes the versions and the choice.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::sync::OnceLock;

use super::math::{LANES, Lanes};

/// What multiplication and addition are on the target: one rounding, or two.
///
/// Compilers make whole vectors of most loops over the lanes, but of long chains in a loop over something else now and then a
/// dozen fragments, one way today and another tomorrow. For those there are vectors, and forms of the operations for all lanes
/// that are made of them.
pub(super) trait Float {
    /// [`LANES`] numbers in registers.
    type Vector: Copy;
    /// Whether twenty sums of lanes fit the registers.
    const MANY_REGISTERS: bool = false;
    /// `a * b + c`
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
    /// `a * b + c` in float64.
    fn mul_add_wide(a: f64, b: f64, c: f64) -> f64;
    /// `x` in all lanes.
    fn splat(x: f32) -> Self::Vector;
    fn load(from: &Lanes) -> Self::Vector;
    /// The first [`LANES`] numbers, or as many as there are, and zeros behind them.
    fn load_some(from: &[f32]) -> Self::Vector;
    fn store(vector: Self::Vector, to: &mut Lanes);
    /// A vector's numbers.
    #[inline(always)]
    fn lanes(vector: Self::Vector) -> Lanes {
        let mut lanes = [0.0; LANES];
        Self::store(vector, &mut lanes);
        lanes
    }
    /// `a + b`
    fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a - b`
    fn sub(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b`
    fn mul(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`, lane by lane.
    fn mul_add_vector(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    fn abs(a: Self::Vector) -> Self::Vector;
    /// `yes` where `a <= b`; `no` elsewhere, which is where one of them is a NaN, too.
    fn select_le(a: Self::Vector, b: Self::Vector, yes: Self::Vector, no: Self::Vector) -> Self::Vector;

    /// `a * b + c`, lane by lane.
    #[inline(always)]
    fn mul_add_lanes(a: &Lanes, b: &Lanes, c: &Lanes) -> Lanes {
        Self::lanes(Self::mul_add_vector(Self::load(a), Self::load(b), Self::load(c)))
    }
    /// `a * b`, lane by lane.
    #[inline(always)]
    fn mul_lanes(a: &Lanes, b: &Lanes) -> Lanes {
        Self::lanes(Self::mul(Self::load(a), Self::load(b)))
    }
    /// `a - b`, lane by lane.
    #[inline(always)]
    fn sub_lanes(a: &Lanes, b: &Lanes) -> Lanes {
        Self::lanes(Self::sub(Self::load(a), Self::load(b)))
    }
}

/// The target has a fused instruction.
pub(super) struct Fused;

/// It has none; a fused result would cost a library call.
#[cfg(any(test, not(target_arch = "aarch64")))]
pub(super) struct Separate;

/// A [`Float`] whose vectors are made by the compiler, with `$mul_add` of three numbers.
macro_rules! by_the_compiler {
    ($name:ident, ($a:ident, $b:ident, $c:ident) = $mul_add:expr) => {
        impl Float for $name {
            type Vector = Lanes;

            #[inline(always)]
            fn mul_add($a: f32, $b: f32, $c: f32) -> f32 {
                $mul_add
            }

            #[inline(always)]
            fn mul_add_wide($a: f64, $b: f64, $c: f64) -> f64 {
                $mul_add
            }

            #[inline(always)]
            fn splat(x: f32) -> Lanes {
                [x; LANES]
            }

            #[inline(always)]
            fn load(from: &Lanes) -> Lanes {
                *from
            }

            #[inline(always)]
            fn load_some(from: &[f32]) -> Lanes {
                super::lanes::load(from)
            }

            #[inline(always)]
            fn store(vector: Lanes, to: &mut Lanes) {
                *to = vector;
            }

            #[inline(always)]
            fn add(a: Lanes, b: Lanes) -> Lanes {
                std::array::from_fn(|lane| a[lane] + b[lane])
            }

            #[inline(always)]
            fn sub(a: Lanes, b: Lanes) -> Lanes {
                std::array::from_fn(|lane| a[lane] - b[lane])
            }

            #[inline(always)]
            fn mul(a: Lanes, b: Lanes) -> Lanes {
                std::array::from_fn(|lane| a[lane] * b[lane])
            }

            #[inline(always)]
            fn mul_add_vector(a: Lanes, b: Lanes, c: Lanes) -> Lanes {
                std::array::from_fn(|lane| Self::mul_add(a[lane], b[lane], c[lane]))
            }

            #[inline(always)]
            fn abs(a: Lanes) -> Lanes {
                std::array::from_fn(|lane| a[lane].abs())
            }

            #[inline(always)]
            fn select_le(a: Lanes, b: Lanes, yes: Lanes, no: Lanes) -> Lanes {
                std::array::from_fn(|lane| if a[lane] <= b[lane] { yes[lane] } else { no[lane] })
            }
        }
    };
}

by_the_compiler!(Fused, (a, b, c) = a.mul_add(b, c));
#[cfg(any(test, not(target_arch = "aarch64")))]
by_the_compiler!(Separate, (a, b, c) = a * b + c);

/// [`Fused`] with vectors of AVX-512.
#[cfg(target_arch = "x86_64")]
pub(super) struct Avx512;

/// [`Fused`] with vectors of AVX2.
#[cfg(target_arch = "x86_64")]
pub(super) struct Avx2;

/// [`Fused`] with `$count` registers of type `$register` for a vector, and the instructions for those.
#[cfg(target_arch = "x86_64")]
macro_rules! by_intrinsics {
    (
        $name:ident,
        many_registers: $many_registers:literal,
        $count:literal of $register:ident,
        $splat:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $mul_add:ident,
        load_some($from:ident) = $load_some:expr,
        abs($abs_a:ident) = $abs:expr,
        select_le($a:ident, $b:ident, $yes:ident, $no:ident) = $select_le:expr
    ) => {
        impl Float for $name {
            type Vector = [$register; $count];

            const MANY_REGISTERS: bool = $many_registers;

            #[inline(always)]
            fn mul_add(a: f32, b: f32, c: f32) -> f32 {
                Fused::mul_add(a, b, c)
            }

            #[inline(always)]
            fn mul_add_wide(a: f64, b: f64, c: f64) -> f64 {
                Fused::mul_add_wide(a, b, c)
            }

            #[inline(always)]
            fn splat(x: f32) -> Self::Vector {
                // SAFETY: `vectorized!` alone names this type, for processors that have these instructions.
                [unsafe { $splat(x) }; $count]
            }

            #[inline(always)]
            fn load(from: &Lanes) -> Self::Vector {
                // SAFETY: as above, and each register's numbers are among `LANES`.
                std::array::from_fn(|part| unsafe { $load(from.as_ptr().add(part * (LANES / $count))) })
            }

            #[inline(always)]
            fn load_some($from: &[f32]) -> Self::Vector {
                $load_some
            }

            #[inline(always)]
            fn store(vector: Self::Vector, to: &mut Lanes) {
                for part in 0..$count {
                    // SAFETY: as above.
                    unsafe { $store(to.as_mut_ptr().add(part * (LANES / $count)), vector[part]) };
                }
            }

            #[inline(always)]
            fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector {
                // SAFETY: as above.
                std::array::from_fn(|part| unsafe { $add(a[part], b[part]) })
            }

            #[inline(always)]
            fn sub(a: Self::Vector, b: Self::Vector) -> Self::Vector {
                // SAFETY: as above.
                std::array::from_fn(|part| unsafe { $sub(a[part], b[part]) })
            }

            #[inline(always)]
            fn mul(a: Self::Vector, b: Self::Vector) -> Self::Vector {
                // SAFETY: as above.
                std::array::from_fn(|part| unsafe { $mul(a[part], b[part]) })
            }

            #[inline(always)]
            fn mul_add_vector(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
                // SAFETY: as above.
                std::array::from_fn(|part| unsafe { $mul_add(a[part], b[part], c[part]) })
            }

            #[inline(always)]
            fn abs(a: Self::Vector) -> Self::Vector {
                // SAFETY: as above.
                a.map(|$abs_a| unsafe { $abs })
            }

            #[inline(always)]
            fn select_le(a: Self::Vector, b: Self::Vector, yes: Self::Vector, no: Self::Vector) -> Self::Vector {
                std::array::from_fn(|part| {
                    let ($a, $b, $yes, $no) = (a[part], b[part], yes[part], no[part]);
                    // SAFETY: as above.
                    unsafe { $select_le }
                })
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
by_intrinsics!(
    Avx512,
    many_registers: true,
    1 of __m512,
    _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps, _mm512_fmadd_ps,
    load_some(from) = {
        let lanes = ((1u32 << from.len().min(LANES)) - 1) as __mmask16;
        // SAFETY: as above; only the lanes that there are are read.
        [unsafe { _mm512_maskz_loadu_ps(lanes, from.as_ptr()) }]
    },
    abs(a) = _mm512_abs_ps(a),
    select_le(a, b, yes, no) = _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b), no, yes)
);
#[cfg(target_arch = "x86_64")]
by_intrinsics!(
    Avx2,
    many_registers: false,
    2 of __m256,
    _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps, _mm256_fmadd_ps,
    load_some(from) = Self::load(&super::lanes::load(from)),
    abs(a) = _mm256_andnot_ps(_mm256_set1_ps(-0.0), a),
    select_le(a, b, yes, no) = _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_LE_OQ>(a, b))
);

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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the vectors of `F` do, next to plain arithmetic on each lane; `false` where something differs.
    fn agrees<F: Float>(changed: f32) -> bool {
        let a: Lanes = std::array::from_fn(|lane| [-1.5, 0.0, 2.25, f32::NAN, -7.0][lane % 5] + lane as f32);
        let b: Lanes = std::array::from_fn(|lane| 10.0 - 1.25 * lane as f32);
        let c: Lanes = std::array::from_fn(|lane| 0.1 * lane as f32);
        let same = |got: F::Vector, expected: &dyn Fn(usize) -> f32| {
            let lanes = F::lanes(got);
            (0..LANES).all(|lane| {
                lanes[lane].to_bits() == expected(lane).to_bits() || (lanes[lane].is_nan() && expected(lane).is_nan())
            })
        };
        let [x, y, z] = [a, b, c].map(|lanes| F::load(&lanes));
        same(F::add(x, y), &|lane| a[lane] + b[lane] + changed)
            && same(F::sub(x, y), &|lane| a[lane] - b[lane])
            && same(F::mul(x, y), &|lane| a[lane] * b[lane])
            && same(F::mul_add_vector(x, y, z), &|lane| F::mul_add(a[lane], b[lane], c[lane]))
            && same(F::abs(x), &|lane| a[lane].abs())
            && same(F::select_le(x, y, z, F::splat(9.0)), &|lane| if a[lane] <= b[lane] { c[lane] } else { 9.0 })
            && (0..=LANES + 3).all(|count| {
                let from: Vec<f32> = b.iter().chain(&c).copied().take(count).collect();
                same(F::load_some(&from), &|lane| from.get(lane).copied().unwrap_or(0.0))
            })
    }

    #[test]
    fn vectors_do_what_lanes_do() {
        assert!(agrees::<Fused>(0.0) && agrees::<Separate>(0.0));
        assert!(!agrees::<Separate>(1.0));
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512(changed: f32) -> bool {
                agrees::<Avx512>(changed)
            }
            #[target_feature(enable = "avx2,fma")]
            fn avx2(changed: f32) -> bool {
                agrees::<Avx2>(changed)
            }
            if detected() >= Level::Avx2 {
                // SAFETY: the processor was asked.
                assert!(unsafe { avx2(0.0) && !avx2(1.0) });
            }
            if detected() >= Level::Avx512 {
                // SAFETY: as above.
                assert!(unsafe { avx512(0.0) && !avx512(1.0) });
            }
        }
    }
}
