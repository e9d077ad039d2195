// From bounds to the straight pieces of a clock's offset: steps where the clock was set, wild marks set aside.

/// What bounds on a clock's offset amount to.
///
/// A clock runs straight until it is set. Of all the ways to cut the bounds into straight pieces the one with fewest
/// pieces is taken, where in each piece a few wild marks may be set aside. Such a way is not the only one: a step can
/// lie anywhere between the earliest and the latest bound at which the pieces can be cut. Pieces that are made as long
/// as possible from the front tell the latest, pieces made from the back the earliest. A piece consists of what belongs
/// to it in either way; a bound that may lie on either side of a step narrows neither piece.
///
/// A mark is wild if it contradicts bounds that contradict nothing else. Three bounds at most are what no line
/// satisfies together, and one of them is wrong: all of them are set aside, and come back when those that contradict
/// nothing are known. So a wrong mark never stays in because it came first, and a right one is missed at worst, which
/// makes the band wider but not false.
package struct OffsetFit: Sendable {
    /// Straight pieces, in the order of the bounds; one unless the clock was set.
    package private(set) var pieces: [Piece] = []
    /// Bounds that contradict the others, and were left out.
    package private(set) var wild = 0
    /// Bounds that went in.
    package private(set) var count: Int

    package struct Piece: Sendable {
        package var band: OffsetBand
        /// First and last raw guest time of its bounds.
        package var times: ClosedRange<RawTime>
        /// Bounds in it.
        package var count: Int
    }

    /// How often the clock was set.
    package var steps: Int { pieces.count - 1 }

    /// How many of so many bounds may be wild. In few bounds, none: what contradicts the others may as well be a step.
    package static func mostWild(of count: Int) -> Int { max(min(3, count / 32), count / 500) }
    /// A clock that is set more often keeps no time.
    private static let mostSteps = 8
    /// Fewer bounds than these make no piece, if there are several: a clock is not set there and back so quickly.
    private static let fewestOfPiece = 4

    /// - Parameters:
    ///   - bounds: in the order in which they were observed; in that of their times if no clock was set back.
    ///   - drift: the slopes that are possible; 0...0 for clocks that are known to run at one rate.
    /// - Returns: nil when the bounds don't add up: too many contradict each other, or nothing bounds the offset from
    ///   one side.
    package init?(_ bounds: [OffsetBound], drift: ClosedRange<Double> = OffsetBand.anyDrift) {
        count = bounds.count
        let most = Self.mostWild(of: count)
        var aside = 0
        var straight = Self.ends(bounds, drift, aside: aside)
        if straight?.count != 1, most > 0 {
            // Fewer pieces with some marks set aside: then one may lie beside a step, too, and as many as may be are
            // reckoned with there.
            guard let fewest = Self.ends(bounds, drift, aside: most) else { return nil }
            if fewest.count < straight?.count ?? .max { (aside, straight) = (most, fewest) }
        }
        guard let ends = straight else { return nil }
        guard let fromBack = Self.ends(bounds.reversed(), drift, aside: aside), fromBack.count == ends.count else {
            return nil
        }
        // The earliest and the latest ends, first to last.
        let earliest = fromBack.dropLast().reversed().map { bounds.count - $0 } + [bounds.count]
        var start = 0
        for (early, late) in zip(earliest, ends) {
            guard start < early, let (piece, left) = Self.piece(bounds[start..<early], drift) else { return nil }
            guard ends.count == 1 || piece.count >= Self.fewestOfPiece else { return nil }
            pieces.append(piece)
            wild += left
            start = late
        }
        for index in pieces.indices.dropLast() where earliest[index] < ends[index] {
            // What may lie on either side of a step, but fits on none.
            wild += bounds[earliest[index]..<ends[index]].count {
                !pieces[index].band.allows($0) && !pieces[index + 1].band.allows($0)
            }
        }
        guard wild <= most else { return nil }
    }

    /// Where the pieces end (the index after each one's last bound) if each is as long as possible.
    /// - Parameter aside: how often bounds that contradict each other may be set aside in one piece.
    /// - Returns: nil when there are too many pieces.
    private static func ends(
        _ bounds: some RandomAccessCollection<OffsetBound>, _ drift: ClosedRange<Double>, aside: Int
    ) -> [Int]? {
        var ends: [Int] = []
        var rest = bounds[...]
        while !rest.isEmpty {
            guard ends.count <= mostSteps else { return nil }
            let run = Run(rest, drift, aside: aside)
            ends.append((ends.last ?? 0) + run.length)
            rest = rest.dropFirst(run.length)
        }
        return ends.isEmpty ? nil : ends
    }

    /// The straight piece that bounds make, and how many of them are wild.
    private static func piece(_ bounds: ArraySlice<OffsetBound>, _ drift: ClosedRange<Double>) -> (
        piece: Piece, wild: Int
    )? {
        let run = Run(bounds, drift, aside: .max)
        var band = run.band
        // What was set aside with a wild mark comes back, if that goes with all others and with each other.
        var back = run.aside.filter { run.band.allows(bounds[bounds.startIndex + $0]) }
        for number in back where band.narrow(bounds[bounds.startIndex + number], number: number) != nil {
            (band, back) = (run.band, [])
            break
        }
        guard band.isBounded else { return nil }
        band.settle()
        let wild = run.aside.subtracting(back)
        var (first, last) = (RawTime.max, RawTime.min)
        for (number, bound) in bounds.enumerated() where !wild.contains(number) {
            first = min(first, bound.time)
            last = max(last, bound.time)
        }
        guard first <= last else { return nil }
        return (Piece(band: band, times: first...last, count: bounds.count - wild.count), wild.count)
    }

    /// As many of the first bounds as one line satisfies.
    private struct Run {
        var band: OffsetBand
        var length = 0
        /// Numbers of the bounds that were set aside.
        var aside: Set<Int> = []

        /// - Parameter bounds: one at least.
        init(_ bounds: some RandomAccessCollection<OffsetBound>, _ drift: ClosedRange<Double>, aside most: Int) {
            let all = OffsetBand(around: bounds[bounds.startIndex], drift: drift)
            band = all
            var times = 0
            for (number, bound) in bounds.enumerated() {
                if let together = band.narrow(bound, number: number) {
                    // A bound may contradict itself; a piece has one at least.
                    guard times < most || number == 0 else { return }
                    times += 1
                    aside.formUnion(together)
                    band = all
                    for (number, bound) in bounds.prefix(number).enumerated() where !aside.contains(number) {
                        _ = band.narrow(bound, number: number)
                    }
                }
                length = number + 1
            }
        }
    }
}
