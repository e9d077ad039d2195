// The correlation that finds two recordings' offset, against the direct sum.

import ClockSync
import Testing

@Suite struct CorrelationTests {
    @Test(arguments: 0..<120 as Range<UInt64>)
    func `counts are those of the direct sum`(seed: UInt64) {
        var chance = Chance(seed: seed)
        let isMarks = chance.isHeads(0.7)
        func values(_ chance: inout Chance) -> [Float] {
            (0..<chance.whole(1...90)).map { _ in isMarks ? (chance.isHeads(0.3) ? 1 : 0) : Float(chance.real(-3, 3)) }
        }
        let (pattern, field) = (values(&chance), values(&chance))
        let counts = Correlation(of: pattern, in: field).counts
        #expect(counts.count == pattern.count + field.count - 1)
        for shift in counts.indices {
            var sum = 0.0
            for (index, value) in pattern.enumerated() where field.indices.contains(index + shift - (pattern.count - 1))
            {
                sum += Double(value) * Double(field[index + shift - (pattern.count - 1)])
            }
            #expect(abs(counts[shift] - sum) < 1e-9, "shift \(shift) of \(pattern.count) in \(field.count)")
        }
    }

    @Test func `nothing correlates with nothing`() {
        #expect(Correlation(of: [], in: [1, 0, 1]).counts.isEmpty)
        #expect(Correlation(of: [1, 0, 1], in: []).counts.isEmpty)
        #expect(Correlation(of: [], in: []).counts.isEmpty)
    }
}
