// One machine's file: read once, written with its trace data repeated and everything else as it was.

import LinuxSystem
import TraceData

struct RecordedMachine {
    private let mapping: MappedFile
    private let layout: FileLayout
    private let cpus: [RecordedCPU]

    /// - Parameter host: leaves out what begins while the host was not recorded. Where repetitions meet, it would look
    ///   as if the guest ran without its host.
    init(path: String, host: RecordedMachine? = nil) throws {
        let file = try TraceFile(path: path)
        guard file.version == 7, file.buffers.count == 1, !file.buffers[0].cpus.contains(where: \.isChunked) else {
            throw Fault(text: "\(path): not an uncompressed file of version 7 with one buffer")
        }
        let mapping = try MappedFile(path: path)
        self.mapping = mapping
        let layout = FileLayout(mapping.bytes)
        self.layout = layout
        let buffer = file.buffers[0]
        cpus = try buffer.cpus.map {
            try RecordedCPU(mapping.bytes[$0.range], pageSize: buffer.pageSize, longSize: file.longSize) {
                host?.times.contains($0 &+ layout.timeShift) ?? true
            }
        }
        guard events > 0 else { throw Fault(text: "\(path): no events") }
    }

    var events: Int { cpus.reduce(0) { $0 + $1.events } }

    /// From the first event to the last, in cycles of the host.
    var times: ClosedRange<UInt64> {
        let times = cpus.compactMap(\.times)
        let (first, last) = (times.map(\.lowerBound).min()!, times.map(\.upperBound).max()!)
        return first &+ layout.timeShift...last &+ layout.timeShift
    }

    /// Writes the file with each CPU's data `repetitions` times, every time `span` cycles later.
    func write(to path: String, repetitions: Int, span: UInt64) throws {
        let patches = layout.patches(cpuSizes: cpus.map { $0.bytes.count * repetitions })
        var output = try OutputFile(path: path)
        try output.stream.write(bytes: patched(0..<layout.data.lowerBound, patches))
        for var cpu in cpus {
            for repetition in 0..<repetitions {
                if repetition > 0 { cpu.move(by: span) }
                try output.stream.write(bytes: cpu.bytes)
            }
        }
        try output.stream.write(bytes: patched(layout.data.upperBound..<mapping.bytes.count, patches))
        try output.commit()
    }

    private func patched(_ range: Range<Int>, _ patches: [FileLayout.Patch]) -> [UInt8] {
        var bytes = Array(mapping.bytes[range])
        for patch in patches where range.contains(patch.place) {
            bytes.withUnsafeMutableBytes {
                $0.storeBytes(
                    of: patch.value.littleEndian, toByteOffset: patch.place - range.lowerBound, as: UInt64.self)
            }
        }
        return bytes
    }
}
