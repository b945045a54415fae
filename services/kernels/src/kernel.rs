//! Which instructions the kernels are compiled for, and the proof that this machine has them.

#[cfg(target_arch = "aarch64")]
use std::arch::is_aarch64_feature_detected;

/// A family of instructions. All give results within the tolerances stated in the crate's documentation;
/// `Reference`, `Avx2`, the AVX-512 and the NEON kernels give the *same bits* for everything but bf16 products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kernel {
    /// Plain Rust for any processor that rounds as FMA does, in software where the processor has none: what the fused
    /// kernels computed can be computed again anywhere, slowly.
    Reference,
    /// Plain Rust for any processor; it defines the results.
    Portable,
    /// NEON, which every 64-bit Arm processor has: int8 products in 16 bits by `smull`.
    Neon,
    /// `Neon` and dot products of bytes, `FEAT_DotProd` (Neoverse N1 2019, Apple A11 2017): `sdot`.
    NeonDot,
    /// `NeonDot` and dot products of bytes with and without a sign, `FEAT_I8MM` (Neoverse V1 2020, Apple M2 2022): `sudot`.
    NeonI8mm,
    /// AVX2 and FMA (Haswell 2013, Zen 2017).
    Avx2,
    /// AVX-512 F, BW, DQ, VL and VNNI (Ice Lake 2019, Zen 4 2022): int8 products by `vpdpbusd`.
    Avx512,
    /// `Avx512` and AVX512-BF16 (Cooper Lake 2020, Zen 4 2022): bf16 products by `vdpbf16ps`.
    Avx512Bf16,
}

impl Kernel {
    /// Every kernel, the slowest first.
    pub const ALL: [Self; 8] = [
        Self::Reference,
        Self::Portable,
        Self::Neon,
        Self::NeonDot,
        Self::NeonI8mm,
        Self::Avx2,
        Self::Avx512,
        Self::Avx512Bf16,
    ];

    /// Whether this processor (and operating system: the standard library asks `xgetbv`, too) can run it.
    #[must_use]
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = || {
                avx2()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
            };
            match self {
                Self::Reference | Self::Portable => true,
                Self::Neon | Self::NeonDot | Self::NeonI8mm => false,
                Self::Avx2 => avx2(),
                Self::Avx512 => avx512(),
                Self::Avx512Bf16 => avx512() && is_x86_feature_detected!("avx512bf16"),
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            let neon = || is_aarch64_feature_detected!("neon");
            let dot = || neon() && is_aarch64_feature_detected!("dotprod");
            match self {
                Self::Reference | Self::Portable => true,
                Self::Neon => neon(),
                Self::NeonDot => dot(),
                Self::NeonI8mm => dot() && is_aarch64_feature_detected!("i8mm"),
                Self::Avx2 | Self::Avx512 | Self::Avx512Bf16 => false,
            }
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            matches!(self, Self::Reference | Self::Portable)
        }
    }

    /// The fastest kernel that this processor can run.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL
            .into_iter()
            .rev()
            .find(|kernel| kernel.is_available())
            .unwrap_or(Self::Portable)
    }

    /// Its name in tables and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::NeonDot => "neon-dot",
            Self::NeonI8mm => "neon-i8mm",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512-bf16",
        }
    }
}

impl std::str::FromStr for Kernel {
    type Err = UnknownKernel;

    fn from_str(name: &str) -> Result<Self, UnknownKernel> {
        Self::ALL
            .into_iter()
            .find(|kernel| kernel.as_str() == name)
            .ok_or(UnknownKernel)
    }
}

/// A name that no [`Kernel`] has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKernel;

impl std::fmt::Display for UnknownKernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no kernel of that name; there are ")?;
        for (nth, kernel) in Kernel::ALL.into_iter().enumerate() {
            write!(f, "{}{}", if nth == 0 { "" } else { ", " }, kernel.as_str())?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownKernel {}

/// A [`Kernel`] that was found on this processor. There is no other way to make one, so that holding it is the proof
/// which every call of a `#[target_feature]` function in this crate rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Isa(Kernel);

impl Isa {
    pub(crate) fn new(kernel: Kernel) -> Option<Self> {
        kernel.is_available().then_some(Self(kernel))
    }

    pub(crate) const fn kernel(self) -> Kernel {
        self.0
    }

    /// Runs `op` compiled for these instructions.
    pub(crate) fn run<O: Op>(self, op: O) -> O::Output {
        match self.0 {
            Kernel::Reference => op.run::<Fused>(),
            Kernel::Portable => op.run::<Separate>(),
            // SAFETY: this `Isa` holds `Avx2`, so that the processor has AVX2 and FMA (`Isa::new`).
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => unsafe { run_avx2(op) },
            // SAFETY: this `Isa` holds an AVX-512 kernel, so that the processor has the features named (`Isa::new`).
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 | Kernel::Avx512Bf16 => unsafe { run_avx512(op) },
            // SAFETY: this `Isa` holds a NEON kernel, so that the processor has NEON, and with it FMA (`Isa::new`).
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon | Kernel::NeonDot | Kernel::NeonI8mm => unsafe { run_neon(op) },
            // Kernels of other processors, of which there is no `Isa` here.
            _ => op.run::<Separate>(),
        }
    }
}

/// Something written once in plain Rust and compiled for each instruction set. `run` and all that it calls must be
/// `#[inline(always)]`: only what ends up inside the function with the features is compiled with them.
pub(crate) trait Op {
    type Output;
    fn run<A: Arithmetic>(self) -> Self::Output;
}

/// How `a × b + c` is rounded: the one thing in which the compilations of an [`Op`] differ.
pub(crate) trait Arithmetic {
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

/// Rounds twice, as any processor can.
pub(crate) struct Separate;
/// Rounds once, as FMA does.
pub(crate) struct Fused;

impl Arithmetic for Separate {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

impl Arithmetic for Fused {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<O: Op>(op: O) -> O::Output {
    op.run::<Fused>()
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn run_neon<O: Op>(op: O) -> O::Output {
    op.run::<Fused>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn run_avx512<O: Op>(op: O) -> O::Output {
    op.run::<Fused>()
}
