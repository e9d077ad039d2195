// trace.dat version 6: everything in one fixed order, nothing compressed.

extension TraceFile {
    static func readVersion6(
        _ reader: inout ByteReader, pageSize: Int, _ bytes: UnsafeRawBufferPointer, _ contents: inout Contents
    ) throws(TraceFileError.Fault) {
        try readHeaderInfo(&reader, &contents)
        try readFtraceFormats(&reader, &contents)
        try readEventFormats(&reader, &contents)
        _ = unsafe try reader.take(Int(try reader.u32()))  // kallsyms
        _ = unsafe try reader.take(Int(try reader.u32()))  // trace_printk formats
        try readCommandLines(&reader, &contents)
        let cpus = Int(try reader.u32())
        guard cpus <= TraceOptions.mostCPUs else { throw reader.corrupt("\(cpus) CPUs") }

        // Ten bytes say what follows: options once, then the kind of data.
        var instances: [(name: String, offset: Int)] = []
        var kind = unsafe try reader.take(10)
        if unsafe kind.elementsEqual("options  \0".utf8) {
            try readOptions6(&reader, &contents, &instances)
            unsafe kind = try reader.take(10)
        }
        if unsafe kind.elementsEqual("latency  \0".utf8) { throw .latencyFormat }
        guard unsafe kind.elementsEqual("flyrecord\0".utf8) else {
            throw .corrupt(section: reader.section, offset: reader.offset - 10, fact: "neither options nor trace data")
        }
        let clock = contents.options.clock
        guard cpus * (instances.count + 1) <= FileBudget.lanes else {
            throw reader.corrupt("\(instances.count) instances of \(cpus) CPUs")
        }
        let top = unsafe try cpuTable(&reader, cpus: cpus, bytes)
        contents.buffers.append(TraceBuffer(name: "", clock: clock, pageSize: pageSize, cpus: top))
        for instance in instances {
            // An instance has its own "flyrecord" and table, at the place its option names.
            var reader = unsafe ByteReader(bytes, from: instance.offset, section: "instance \(instance.name)")
            try reader.expect("flyrecord\0")
            let table = unsafe try cpuTable(&reader, cpus: cpus, bytes)
            contents.buffers.append(TraceBuffer(name: instance.name, clock: clock, pageSize: pageSize, cpus: table))
        }
        contents.options.cpuCount = contents.options.cpuCount ?? cpus
    }

    private static func readOptions6(
        _ reader: inout ByteReader, _ contents: inout Contents, _ instances: inout [(name: String, offset: Int)]
    ) throws(TraceFileError.Fault) {
        while true {
            let id = try reader.u16()
            if id == TraceOptions.ID.done { return }
            let size = Int(try reader.u32())
            let start = reader.offset
            var data = unsafe ByteReader(try reader.take(size), section: "option \(id)", fileOffset: start)
            if id == TraceOptions.ID.buffer {
                let offset = try data.u64()
                guard let place = Int(exactly: offset) else { throw data.corrupt("an instance at byte \(offset)") }
                instances.append((try data.string(), place))
            } else {
                try contents.options.read(id, &data)
            }
        }
    }

    /// Offset and size of each CPU's data.
    private static func cpuTable(
        _ reader: inout ByteReader, cpus: Int, _ bytes: UnsafeRawBufferPointer
    ) throws(TraceFileError.Fault) -> [CPUData] {
        var table: [CPUData] = []
        for cpu in 0..<cpus {
            let range = unsafe try dataRange(offset: try reader.u64(), size: try reader.u64(), cpu: cpu, bytes)
            table.append(CPUData(cpu: cpu, range: range, isChunked: false))
        }
        return table
    }

    /// A CPU's data must lie inside the file.
    static func dataRange(
        offset: UInt64, size: UInt64, cpu: Int, _ bytes: UnsafeRawBufferPointer
    ) throws(TraceFileError.Fault) -> Range<Int> {
        guard let start = Int(exactly: offset), let size = Int(exactly: size) else {
            throw .corrupt(section: "data of CPU \(cpu)", offset: 0, fact: "offset \(offset), size \(size)")
        }
        guard size <= bytes.count, start <= bytes.count - size else {
            throw .truncated(section: "data of CPU \(cpu)", offset: start, needed: size)
        }
        return start..<start + size
    }
}
