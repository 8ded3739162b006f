//! What a request's risk makes of a limit: factors on the quota, the cost and the window.

/// The factors of one request. They are kept in thousandths, so that every backend computes the same.
///
/// A quota shrinks or grows for this request only: what is counted stays counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factors {
    quota: u32,
    cost: u32,
    window: u32,
}

impl Default for Factors {
    fn default() -> Self {
        Self { quota: Self::ONE, cost: Self::ONE, window: Self::ONE }
    }
}

impl Factors {
    /// The factor that changes nothing, in thousandths.
    pub const ONE: u32 = 1000;

    /// Factors on the quota (0.1 to 2), on the cost (1 to 5) and on the window (1 to 2). What lies outside is
    /// brought to the nearest that is allowed; what is not a number changes nothing.
    pub fn new(quota: f64, cost: f64, window: f64) -> Self {
        Self {
            quota: thousandths(quota, 0.1, 2.0),
            cost: thousandths(cost, 1.0, 5.0),
            window: thousandths(window, 1.0, 2.0),
        }
    }

    /// On the units that a window admits, in thousandths.
    pub fn quota(self) -> u32 {
        self.quota
    }

    /// On what the request costs, in thousandths.
    pub fn cost(self) -> u32 {
        self.cost
    }

    /// On the length of the window, in thousandths.
    pub fn window(self) -> u32 {
        self.window
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 100 and 5000")]
fn thousandths(factor: f64, least: f64, most: f64) -> u32 {
    if factor.is_nan() { Factors::ONE } else { (factor.clamp(least, most) * 1000.0).round() as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_bounds_is_brought_back() {
        let cases = [
            ((1.0, 1.0, 1.0), (1000, 1000, 1000)),
            ((0.0, 0.0, 0.0), (100, 1000, 1000)),
            ((9.0, 9.0, 9.0), (2000, 5000, 2000)),
            ((-1.0, f64::INFINITY, f64::NEG_INFINITY), (100, 5000, 1000)),
            ((f64::NAN, f64::NAN, f64::NAN), (1000, 1000, 1000)),
            ((0.333_33, 1.5, 1.25), (333, 1500, 1250)),
        ];
        for ((quota, cost, window), expected) in cases {
            let factors = Factors::new(quota, cost, window);
            assert_eq!((factors.quota(), factors.cost(), factors.window()), expected);
        }
    }
}
