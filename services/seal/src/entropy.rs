//! Random bytes from the operating system.

use ring::rand::{SecureRandom, SystemRandom};

/// The operating system gave no random bytes. Nothing that needs a key, a nonce or a token can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct EntropyError;

/// `N` bytes from the operating system's generator, fit for keys.
///
/// # Errors
/// [`EntropyError`] when the kernel has no source of randomness.
pub fn random<const N: usize>() -> Result<[u8; N], EntropyError> {
    let mut out = [0; N];
    SystemRandom::new().fill(&mut out).map_err(|_| EntropyError)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ() -> Result<(), EntropyError> {
        // Equal with probability 2^-256.
        assert_ne!(random::<32>()?, random::<32>()?);
        Ok(())
    }
}
