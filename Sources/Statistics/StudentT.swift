// Student's t distribution: tail probabilities and critical values.

private import Glibc

package enum StudentT {
    /// Probability of a value as far from 0 as `t`, on both sides together.
    ///
    /// By the regularized incomplete beta function: Abramowitz and Stegun, "Handbook of mathematical functions", 26.7.1
    /// and 26.5.27.
    /// - Parameter degrees: degrees of freedom, above 0, not necessarily whole.
    package static func twoSided(_ t: Double, degrees: Double) -> Double {
        incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5)
    }

    /// The value that is exceeded, on both sides together, with probability `alpha`.
    package static func critical(_ alpha: Double, degrees: Double) -> Double {
        var (low, high) = (0.0, 2.0)
        while twoSided(high, degrees: degrees) > alpha, high < 1e12 { (low, high) = (high, high * 2) }
        // Each step halves what is left: 60 of them reach the last digit of a Double.
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if twoSided(middle, degrees: degrees) > alpha { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    /// I_x(a, b), by Lentz's evaluation of the continued fraction: Abramowitz and Stegun 26.5.8; Press et al.,
    /// "Numerical recipes", 6.4.
    private static func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        guard x > 0 else { return 0 }
        guard x < 1 else { return 1 }
        let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
        // The fraction converges fast on this side of the mean, and the other side is its mirror.
        if x < (a + 1) / (a + b + 2) { return front * fraction(x, a, b) / a }
        return 1 - front * fraction(1 - x, b, a) / b
    }

    private static func fraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
        let tiny = 1e-300
        func kept(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
        var c = 1.0
        var d = 1 / kept(1 - (a + b) * x / (a + 1))
        var result = d
        for step in 1...300 {
            let m = Double(step)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 / kept(1 + even * d)
            c = kept(1 + even / c)
            result *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 / kept(1 + odd * d)
            c = kept(1 + odd / c)
            result *= d * c
            if abs(d * c - 1) < 1e-15 { break }
        }
        return result
    }
}
