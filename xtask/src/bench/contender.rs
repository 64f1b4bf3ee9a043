//! The contenders, and the conditions under which a driver runs.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

/// A framework, or one mode of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contender {
    /// This project.
    Descent,
    /// This project at an earlier commit.
    DescentBefore,
    /// PyTorch as the lecture writes it.
    PytorchEager,
    /// PyTorch with NHWC images.
    PytorchChannelsLast,
    /// PyTorch with NHWC images and the fused optimizer.
    PytorchFused,
    /// PyTorch with these and `torch.compile`.
    PytorchCompile,
    /// PyTorch with NHWC images, the fused optimizer and autocast in bfloat16.
    PytorchBf16,
    /// PyTorch with these and `torch.compile`.
    PytorchBf16Compile,
    /// PyTorch's `foreach` optimizers.
    PytorchForeach,
    /// burn on its `flex` backend.
    Burn,
    /// candle on the CPU.
    Candle,
    /// ndarray, tensors only.
    Ndarray,
}

impl Contender {
    /// All, in the order of tables.
    pub const ALL: [Self; 12] = [
        Self::Descent,
        Self::DescentBefore,
        Self::PytorchEager,
        Self::PytorchChannelsLast,
        Self::PytorchFused,
        Self::PytorchCompile,
        Self::PytorchBf16,
        Self::PytorchBf16Compile,
        Self::PytorchForeach,
        Self::Burn,
        Self::Candle,
        Self::Ndarray,
    ];

    /// The name in tables and charts.
    pub fn label(self) -> &'static str {
        match self {
            Self::Descent => "Descent",
            Self::DescentBefore => "Descent before",
            Self::PytorchEager => "PyTorch",
            Self::PytorchChannelsLast => "PyTorch channels_last",
            Self::PytorchFused => "PyTorch channels_last, fused optimizer",
            Self::PytorchCompile => "PyTorch compile",
            Self::PytorchBf16 => "PyTorch bf16 autocast",
            Self::PytorchBf16Compile => "PyTorch bf16 autocast, compile",
            Self::PytorchForeach => "PyTorch foreach",
            Self::Burn => "burn (flex)",
            Self::Candle => "candle",
            Self::Ndarray => "ndarray",
        }
    }

    /// The name under a bar.
    pub fn short_label(self) -> &'static str {
        match self {
            Self::PytorchChannelsLast => "channels_last",
            Self::PytorchFused => "+ fused",
            Self::PytorchCompile => "compile",
            Self::PytorchBf16 => "bf16",
            Self::PytorchBf16Compile => "bf16, compile",
            Self::PytorchForeach => "foreach",
            Self::Burn => "burn",
            _ => self.label(),
        }
    }

    /// The `--mode` of pytorch.py, for those that are PyTorch.
    pub fn pytorch_mode(self) -> Option<&'static str> {
        match self {
            Self::PytorchEager => Some("eager"),
            Self::PytorchChannelsLast => Some("channels-last"),
            Self::PytorchFused => Some("fused"),
            Self::PytorchCompile => Some("compile"),
            Self::PytorchBf16 => Some("bf16"),
            Self::PytorchBf16Compile => Some("bf16-compile"),
            Self::PytorchForeach => Some("foreach"),
            Self::Descent | Self::DescentBefore | Self::Burn | Self::Candle | Self::Ndarray => None,
        }
    }

    /// Whether it computes in bfloat16 (eight significant bits).
    pub fn is_bf16(self) -> bool {
        matches!(self, Self::PytorchBf16 | Self::PytorchBf16Compile)
    }

    /// Whether it compiles a network before running it.
    pub fn is_compiled(self) -> bool {
        matches!(self, Self::PytorchCompile | Self::PytorchBf16Compile)
    }
}

/// The instructions that drivers may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Simd {
    /// All that the machine has.
    Native,
    /// AVX2 at most, if a framework has a switch for it: ours and PyTorch.
    Avx2,
}

impl Display for Simd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Avx2 => "AVX2",
        })
    }
}

/// The fixed conditions of a driver's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Condition {
    /// Threads a driver uses.
    pub threads: usize,
    /// Instructions it may use.
    pub simd: Simd,
}

impl Condition {
    /// The environment variables that set it for every driver.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let threads = self.threads.to_string();
        let mut variables: Vec<_> = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]
            .map(|name| (name, threads.clone()))
            .into();
        if self.simd == Simd::Avx2 {
            variables.extend([
                ("DESCENT_SIMD", "avx2".to_owned()),
                ("ATEN_CPU_CAPABILITY", "avx2".to_owned()),
                ("ONEDNN_MAX_CPU_ISA", "AVX2".to_owned()),
                ("MKL_ENABLE_INSTRUCTIONS", "AVX2".to_owned()),
            ]);
        }
        variables
    }
}
