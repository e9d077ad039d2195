// Where one pattern lies in another: cross-correlation of activity, by the fast Fourier transform.

import Glibc

/// How often each shift puts a 1 of one pattern on a 1 of another.
package struct Correlation: Sendable {
    /// By shift: `counts[s]` is the sum over i of pattern[i] · field[i + s - (pattern.count - 1)].
    package let counts: [Double]

    /// - Parameters:
    ///   - pattern: what is looked for, 0 or 1 for each bin.
    ///   - field: where.
    package init(of pattern: [Float], in field: [Float]) {
        guard !pattern.isEmpty, !field.isEmpty else {
            counts = []
            return
        }
        let length = pattern.count + field.count - 1
        var size = 1
        while size < length { size *= 2 }
        // Both are real: one transform does for two, as real and imaginary part.
        var real = [Double](repeating: 0, count: size)
        var imaginary = real
        for (index, value) in field.enumerated() { real[index] = Double(value) }
        for (index, value) in pattern.enumerated() { imaginary[pattern.count - 1 - index] = Double(value) }
        Self.transform(&real, &imaginary)
        // F = (Z(k) + Z*(-k)) / 2, P = (Z(k) - Z*(-k)) / 2i; the product of both.
        var productReal = [Double](repeating: 0, count: size)
        var productImaginary = productReal
        for index in 0..<size {
            let mirror = (size - index) & (size - 1)
            let fieldReal = (real[index] + real[mirror]) / 2
            let fieldImaginary = (imaginary[index] - imaginary[mirror]) / 2
            let patternReal = (imaginary[index] + imaginary[mirror]) / 2
            let patternImaginary = (real[mirror] - real[index]) / 2
            productReal[index] = fieldReal * patternReal - fieldImaginary * patternImaginary
            // The inverse transform is the transform of the conjugate.
            productImaginary[index] = -(fieldReal * patternImaginary + fieldImaginary * patternReal)
        }
        Self.transform(&productReal, &productImaginary)
        counts = productReal[..<length].map { $0 / Double(size) }
    }

    /// Discrete Fourier transform in place, decimation in time (Cooley and Tukey, 1965); the size is a power of two.
    static func transform(_ real: inout [Double], _ imaginary: inout [Double]) {
        let size = real.count
        var reversed = 0
        for index in 1..<max(size, 1) {
            var bit = size >> 1
            while reversed & bit != 0 {
                reversed ^= bit
                bit >>= 1
            }
            reversed |= bit
            if index < reversed {
                real.swapAt(index, reversed)
                imaginary.swapAt(index, reversed)
            }
        }
        // Roots of unity, once for all stages.
        let roots = (0..<size / 2).map { index in
            let angle = -2 * Double.pi * Double(index) / Double(size)
            return (real: cos(angle), imaginary: sin(angle))
        }
        var half = 1
        while half < size {
            let stride = size / (2 * half)
            var start = 0
            while start < size {
                for offset in 0..<half {
                    let root = roots[offset * stride]
                    let (low, high) = (start + offset, start + offset + half)
                    let shiftedReal = real[high] * root.real - imaginary[high] * root.imaginary
                    let shiftedImaginary = real[high] * root.imaginary + imaginary[high] * root.real
                    real[high] = real[low] - shiftedReal
                    imaginary[high] = imaginary[low] - shiftedImaginary
                    real[low] += shiftedReal
                    imaginary[low] += shiftedImaginary
                }
                start += 2 * half
            }
            half *= 2
        }
    }
}
