// One pass over recordings: the marks of all CPUs in time order, a batch at a time, to everyone who reads along.

package import LinuxSystem

/// Reads the marks of a pass. It is called once for a batch, so calling it through the protocol costs a mark nothing.
package protocol MarkReader: AnyObject {
    /// The next marks in time order, gone when this returns.
    func take(_ marks: Span<Mark>)
}

/// The only loop there is over a `MarkStream`.
package struct MarkPass {
    /// Its lanes and names before the pass, its counts during and after it.
    package let stream: MarkStream

    /// Marks that are merged at a time: 160 KiB, which stay in the cache while one reader after the other has them.
    static let batch = 4096
    /// Batches that are merged ahead.
    private static let batchesAhead = 8

    /// Progress is told once for so many batches.
    private static let batchesBetweenNews = 32

    /// - Throws: `SystemError` when the system gives no threads.
    package init(_ sources: [StreamSource]) throws(SystemError) { stream = try MarkStream(sources) }

    /// Reads everything. A second time there is nothing left to read.
    /// - Parameters:
    ///   - readers: each gets all marks, in the order given here.
    ///   - progress: called now and then with the bytes read so far.
    /// - Throws: `SystemError` when the system gives no thread.
    package func run(_ readers: [any MarkReader], progress: (_ bytes: Int) -> Void = { _ in }) throws(SystemError) {
        let merger = try MarkMerger(stream, batches: Self.batchesAhead, of: Self.batch)
        var batches = 0
        while let marks = unsafe merger.next() {
            for reader in readers { unsafe reader.take(marks.span) }
            batches += 1
            if batches % Self.batchesBetweenNews == 0 { progress(stream.counts.reduce(0) { $0 + $1.bytes }) }
        }
    }
}
