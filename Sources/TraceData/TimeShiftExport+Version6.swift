// Version 6: the options lie before the data, so all that follows moves, and with it every place that the file names.

internal import LinuxSystem

extension TimeShiftExport {
    /// What lies where in the file.
    private struct Layout {
        /// The options with the mark that ends them.
        var options: Range<Int>
        /// A file without any has no "options" in front of them either.
        var hasOptions = false
        var kept: [(id: UInt16, data: [UInt8])] = []
        /// Instances other than the top-level one, in the order of their options.
        var instances: [Int] = []
        /// Tables of offsets and sizes, in the order of the file's buffers.
        var tables: [Int] = []
    }

    /// Bytes of "options  \0" and "flyrecord\0".
    private static let kindSize = 10

    /// The file with `options` instead of those of the same kinds.
    static func revision(of file: TraceFile, with options: [Option]) throws(Fault) -> Revision {
        let layout = try layout(of: file, without: Set(options.map(\.id)))
        var kept = layout.kept
        // From here on everything moves by what the options grow, from the first data on by whole sub-buffers:
        // trace-cmd maps them.
        let size = layout.kept.reduce(options.reduce(2) { $0 + 6 + $1.data.count }) { $0 + 6 + $1.data.count }
        let growth = size + (layout.hasOptions ? 0 : kindSize) - layout.options.count
        let pageSize = file.buffers[0].pageSize
        let movement = max(0, (growth + pageSize - 1) / pageSize * pageSize)
        let data = file.buffers.flatMap { $0.cpus.filter { !$0.range.isEmpty }.map(\.range.lowerBound) }
        let end = unsafe file.mapping.bytes.count
        let first = (data + layout.instances).min() ?? end
        guard first >= layout.tables[0] + 16 * file.buffers[0].cpus.count else {
            throw .corrupt(section: "data", offset: first, fact: "data among the options")
        }
        func moved(_ place: Int) -> Int { place + (place < first ? growth : movement) }

        var revision = Revision()
        var instances = layout.instances.makeIterator()
        for index in kept.indices where kept[index].id == TraceOptions.ID.buffer {
            guard let place = instances.next() else { break }
            var bytes: [UInt8] = []
            bytes.append(number: UInt64(moved(place)))
            kept[index].data.replaceSubrange(..<8, with: bytes)
        }
        var region: [UInt8] = layout.hasOptions ? [] : Array("options  \0".utf8)
        for option in kept { region += encoded([Option(option.id) { $0 = option.data }]) }
        region += encoded(options)
        region.append(number: TraceOptions.ID.done)
        revision.replace(layout.options, by: region)
        for (table, buffer) in zip(layout.tables, file.buffers) {
            var bytes: [UInt8] = []
            for cpu in buffer.cpus {
                bytes.append(number: UInt64(moved(cpu.range.lowerBound)))
                bytes.append(number: UInt64(cpu.range.count))
            }
            revision.replace(table..<table + bytes.count, by: bytes)
        }
        revision.replace(first..<first, by: [UInt8](repeating: 0, count: movement - growth))
        return revision
    }

    /// Walks over the file as `TraceFile.readVersion6` does, and notes the places that are of interest here.
    private static func layout(of file: TraceFile, without ids: Set<UInt16>) throws(Fault) -> Layout {
        let bytes = unsafe file.mapping.bytes
        var reader = unsafe ByteReader(bytes, from: TraceFile.magic.count, section: "header")
        var contents = TraceFile.Contents(version: 6)
        _ = try reader.string(limit: 16)
        _ = unsafe try reader.take(2 + 4)  // byte order, long, page
        try TraceFile.readHeaderInfo(&reader, &contents)
        try TraceFile.readFtraceFormats(&reader, &contents)
        try TraceFile.readEventFormats(&reader, &contents)
        _ = unsafe try reader.take(Int(try reader.u32()))  // kallsyms
        _ = unsafe try reader.take(Int(try reader.u32()))  // trace_printk formats
        try TraceFile.readCommandLines(&reader, &contents)
        _ = try reader.u32()  // CPUs

        var layout = Layout(options: reader.offset..<reader.offset)
        if unsafe try reader.take(kindSize).elementsEqual("options  \0".utf8) {
            layout.hasOptions = true
            let start = reader.offset
            while true {
                let id = try reader.u16()
                if id == TraceOptions.ID.done { break }
                let data = unsafe Array(try reader.take(Int(try reader.u32())))
                if id == TraceOptions.ID.buffer { layout.instances.append(try instance(data)) }
                if !ids.contains(id) { layout.kept.append((id, data)) }
            }
            layout.options = start..<reader.offset
            _ = unsafe try reader.take(kindSize)
        }
        layout.tables = [reader.offset] + layout.instances.map { $0 + kindSize }
        return layout
    }

    /// Where an instance's "flyrecord" begins; the file was opened, so it lies in it.
    private static func instance(_ option: [UInt8]) throws(Fault) -> Int {
        try unsafe option.span.bytes.withUnsafeBytes { bytes throws(Fault) in
            var reader = unsafe ByteReader(bytes, section: "option BUFFER")
            return Int(try reader.u64())
        }
    }
}
