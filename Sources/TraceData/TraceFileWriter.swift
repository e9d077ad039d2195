// Writes trace.dat files of version 7, uncompressed: first the events, CPU by CPU, then what is only known at the end.

package import LinuxSystem

/// A trace.dat file in the making, trace-cmd.dat.v7(5).
///
///     var writer = try TraceFileWriter(descriptor: file, pageSize: 4096)
///     writer.beginCPU(0)
///     try writer.append(from: pages, count: size)
///     try writer.finish(description)
///
/// Section BUFFER lies right behind the header, everything else behind it. Until the very last write the header points
/// to no options, so a file whose writer came to grief is not mistaken for a whole one.
package struct TraceFileWriter: ~Copyable {
    /// One CPU's sub-buffers.
    struct Region {
        var cpu: Int
        var start: Int
        /// Bytes so far; only whole sub-buffers of them count.
        var count: Int
    }

    /// Magic, version, byte order, long, page, compression and its version, options: 32 bytes.
    static let headerSize = 32
    static let sectionHeaderSize = 16

    let pageSize: Int
    var output: DataOutput
    private(set) var regions: [Region] = []
    var isFinished = false

    /// Begins a file.
    /// - Parameter descriptor: an open, empty file that can be sought in; it stays the caller's.
    /// - Parameter pageSize: bytes of a sub-buffer, a power of two.
    package init(descriptor: Int32, pageSize: Int) throws(SystemError) {
        precondition(pageSize >= 1024 && pageSize & (pageSize - 1) == 0, "a sub-buffer of \(pageSize) bytes")
        self.pageSize = pageSize
        output = DataOutput(descriptor: descriptor)
        try output.write(header(longSize: 8, options: 0), at: 0)
    }

    /// Where the data ends, and the other sections will begin.
    var dataEnd: Int { regions.last.map { $0.start + whole($0.count) } ?? Self.headerSize + Self.sectionHeaderSize }

    private func whole(_ count: Int) -> Int { count & ~(pageSize - 1) }

    /// Bytes of the current CPU that are in the file; after an error, how far what was appended got.
    package var bytesOfCPU: Int { regions.last?.count ?? 0 }

    /// What is appended from now on is data of `cpu`, whose turn comes only once.
    ///
    /// A sub-buffer of the CPU before that is not complete is left out.
    package mutating func beginCPU(_ cpu: Int) {
        precondition(!isFinished && cpu >= 0 && cpu < TraceOptions.mostCPUs)
        precondition(!regions.contains { $0.cpu == cpu }, "CPU \(cpu) a second time")
        endCPU()
        // trace-cmd maps data, so it begins at a page.
        regions.append(Region(cpu: cpu, start: (dataEnd + pageSize - 1) & ~(pageSize - 1), count: 0))
    }

    /// trace-cmd lists no CPU that has no data.
    mutating func endCPU() {
        guard let last = regions.last else { return }
        regions[regions.count - 1].count = whole(last.count)
        if whole(last.count) == 0 { regions.removeLast() }
    }

    /// Appends sub-buffers, or parts of them, to the current CPU's data.
    /// - Throws: `ENOSPC` for example; the whole sub-buffers that were written before stay, and `finish` can make a
    ///   file of them.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try append { output, end throws(SystemError) in unsafe try output.write(bytes, at: &end) }
    }

    package mutating func append(_ bytes: RawSpan) throws(SystemError) {
        try unsafe bytes.withUnsafeBytes { bytes throws(SystemError) in unsafe try append(bytes) }
    }

    /// Appends `count` bytes from where `descriptor` stands, which moves behind them.
    /// - Throws: as the other; `ENODATA` when there are fewer. Where `descriptor` stands then is not known.
    package mutating func append(from descriptor: Int32, count: Int) throws(SystemError) {
        try append { output, end throws(SystemError) in try output.copy(from: descriptor, count: count, to: &end) }
    }

    private mutating func append(_ write: (inout DataOutput, inout Int) throws(SystemError) -> Void) throws(SystemError)
    {
        precondition(!isFinished && !regions.isEmpty, "data of no CPU")
        let last = regions.count - 1
        var end = regions[last].start + regions[last].count
        do throws(SystemError) {
            try write(&output, &end)
            regions[last].count = end - regions[last].start
        } catch {
            regions[last].count = whole(end - regions[last].start)
            // A full disk gets back what is of no use; that it may refuse to take it changes nothing.
            try? output.truncate(to: regions[last].start + regions[last].count)
            throw error
        }
    }
}
