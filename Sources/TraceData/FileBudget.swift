// What a file may ask of its reader: memory and time follow from the bytes that are there, not from the numbers they
// spell.
//
// Kernels' own files stay far below each bound (a recording of all events of Linux 7.2: 2 MiB of metadata, 2 300
// formats, 22:1).

/// Bounds for what one trace.dat file may unfold into. A file beyond them is corrupt, or was made to do harm.
enum FileBudget {
    /// Bytes of all sections but the events together, as they are when they are decompressed.
    static let metadata = 64 << 20
    /// Formats have ids of 16 bits.
    static let formats = 1 << 16
    /// CPUs of all buffers together.
    static let lanes = 1 << 16
    /// Decompressed bytes for each stored one. Sub-buffers that hold one event each come to about 100.
    static let ratio = 256
    /// One CPU's events may unfold into so many bytes more than the ratio says: small pieces compress better than large
    /// ones.
    static let allowance = 1 << 20

    /// Whether `stored` bytes may unfold into `full`.
    static func allows(_ full: Int, from stored: Int) -> Bool { full <= stored * ratio + allowance }

    /// Each byte of events belongs to one CPU of one buffer: read for many, a small file would be a large one.
    static func check(_ buffers: [TraceBuffer]) throws(TraceFileError.Fault) {
        let data = buffers.flatMap(\.cpus).filter { !$0.range.isEmpty }.sorted {
            $0.range.lowerBound < $1.range.lowerBound
        }
        for (one, next) in zip(data, data.dropFirst()) where next.range.lowerBound < one.range.upperBound {
            throw .corrupt(
                section: "data of CPU \(next.cpu)", offset: next.range.lowerBound,
                fact: "bytes that are CPU \(one.cpu)'s as well")
        }
    }
}
