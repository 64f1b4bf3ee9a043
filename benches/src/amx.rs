//! Peak AMX throughput: products of bf16 tiles, with each operand loaded from the nearest cache.
//!
//! A virtual machine shares its tile units with its neighbours, and their speed changes within seconds, so
//! the peak is measured alongside every round in which another framework may use them. The intrinsics are not
//! stable yet, but `asm!` is.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub use x86::{is_there, multiply_tiles};

/// Whether the processor has AMX with bf16 and the system lets this process use it.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub fn is_there() -> bool {
    false
}

/// Executes at least `n_flops` floating-point operations on every thread of the current rayon pool; returns
/// the total number.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub fn multiply_tiles(_: usize) -> usize {
    panic!("there is no AMX here")
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod x86 {
    use std::arch::asm;
    use std::arch::x86_64::__cpuid_count;

    /// Rows of a tile.
    const ROWS: usize = 16;

    /// Bytes of a row: 32 numbers in bf16, or 16 sums in f32.
    const ROW_BYTES: usize = 64;

    /// The floating-point operations of one tile product: 16 × 16 sums over 32 products.
    const PRODUCT_FLOPS: usize = 2 * 16 * 16 * 32;

    /// The configuration that `ldtilecfg` reads: palette 1, eight tiles of 16 rows of 64 bytes.
    #[repr(C, align(64))]
    struct Config {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    /// Two tiles of each operand, all zeros: the time of a product does not depend on the values.
    #[repr(C, align(64))]
    struct Operands([u8; 4 * ROWS * ROW_BYTES]);

    /// Whether the processor has AMX with bf16 and the system lets this process use it.
    pub fn is_there() -> bool {
        has_bf16_tiles() && ask_permission()
    }

    /// CPUID leaf 7: bit 22 of EDX is AMX-BF16, bit 24 AMX-TILE (Intel's manual, volume 1, chapter 18).
    fn has_bf16_tiles() -> bool {
        const BITS: u32 = 1 << 22 | 1 << 24;
        #[allow(unused_unsafe, reason = "newer compilers have it as a safe function")]
        // SAFETY: every processor of this architecture has the instruction; leaf 0 tells whether leaf 7
        // exists.
        let (highest, edx) = unsafe { (__cpuid_count(0, 0).eax, __cpuid_count(7, 0).edx) };
        highest >= 7 && edx & BITS == BITS
    }

    /// `arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA)`: the tile state is large, and Linux requires each process
    /// to request it once.
    fn ask_permission() -> bool {
        const ARCH_PRCTL: i64 = 158;
        const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
        const XTILEDATA: u64 = 18;
        let answer: i64;
        // SAFETY: the call changes what this process may use and touches no memory; the kernel clobbers RCX and R11.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") ARCH_PRCTL => answer,
                in("rdi") ARCH_REQ_XCOMP_PERM,
                in("rsi") XTILEDATA,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        answer == 0
    }

    /// Executes at least `n_flops` floating-point operations on every thread of the current rayon pool;
    /// returns the total number.
    ///
    /// # Panics
    /// If there is no AMX here.
    pub fn multiply_tiles(n_flops: usize) -> usize {
        assert!(is_there(), "there is no AMX here");
        let n_rounds = n_flops.div_ceil(4 * PRODUCT_FLOPS).max(1);
        // SAFETY: the processor has the instructions and the system lets every thread of this process use them.
        rayon::broadcast(|_| unsafe { products(n_rounds) });
        n_rounds * 4 * PRODUCT_FLOPS * rayon::current_num_threads()
    }

    /// Computes the four products of two tiles by two, into four tiles of sums, `n_rounds` times.
    ///
    /// # Safety
    /// The processor must have AMX with bf16, and the process the permission to use it.
    unsafe fn products(n_rounds: usize) {
        let mut config =
            Config { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        config.row_bytes[..8].fill(ROW_BYTES as u16);
        config.rows[..8].fill(ROWS as u8);
        let operands = Operands([0; 4 * ROWS * ROW_BYTES]);
        // SAFETY: the caller's promise. The configuration is a valid one; the loads stay within `operands`,
        // whose four tiles are contiguous with rows of ROW_BYTES. Nothing else in this program uses tiles,
        // and they are released afterwards.
        unsafe {
            asm!(
                "ldtilecfg [{config}]",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "tileloadd tmm4, [{operands} + {stride}*1]",
                "tileloadd tmm5, [{operands} + {stride}*1 + 1024]",
                "tileloadd tmm6, [{operands} + {stride}*1 + 2048]",
                "tileloadd tmm7, [{operands} + {stride}*1 + 3072]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "dec {n_rounds}",
                "jnz 2b",
                "tilerelease",
                config = in(reg) &raw const config,
                operands = in(reg) &raw const operands,
                stride = in(reg) ROW_BYTES,
                n_rounds = inout(reg) n_rounds => _,
                options(nostack, readonly),
            );
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_work_is_counted_where_there_is_amx() {
            let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
            assert_eq!(has_bf16_tiles(), flags.contains("amx_bf16") && flags.contains("amx_tile"));
            if is_there() {
                let n_threads = rayon::current_num_threads();
                let n = multiply_tiles(1_000_000);
                assert!(
                    n >= 1_000_000 * n_threads && n < 1_100_000 * n_threads,
                    "{n} on {n_threads} threads"
                );
            }
        }
    }
}
