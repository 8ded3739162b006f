//! RSA keys that are keys only in name.

use super::jwk::KeyRefused;

/// Refuses moduli under 2048 bits (RFC 7518, section 3.3) or over 8192 (slow to check), exponents outside
/// FIPS 186-5, section A.1.1, and moduli that the broken generator of CVE-2017-15361 makes.
pub(crate) fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), KeyRefused> {
    let bits = bit_length(modulus);
    if !(2048..=8192).contains(&bits) {
        return Err(KeyRefused::Size(bits));
    }
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    let large_enough = bit_length(exponent) >= 17;
    if !is_odd(exponent) || !large_enough || bit_length(exponent) > 33 {
        return Err(KeyRefused::Exponent);
    }
    if !is_odd(modulus) {
        return Err(KeyRefused::Member("n"));
    }
    if is_roca(modulus) { Err(KeyRefused::Roca) } else { Ok(()) }
}

fn bit_length(number: &[u8]) -> usize {
    let mut bytes = number.iter().skip_while(|byte| **byte == 0);
    match bytes.next() {
        Some(first) => 8 - first.leading_zeros() as usize + 8 * bytes.count(),
        None => 0,
    }
}

/// Nemec et al., "The Return of Coppersmith's Attack" (CCS 2017): the primes of the broken generator are powers of
/// 65537 modulo many small primes, and so is their product. A sound modulus passes for one about once in 2^27.
fn is_roca(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
    PRIMES.iter().all(|prime| {
        let remainder = modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let generator = 65537 % prime;
        let powers = std::iter::successors(Some(1), |power| Some(power * generator % prime));
        powers.take(*prime as usize).any(|power| power == remainder)
    })
}
