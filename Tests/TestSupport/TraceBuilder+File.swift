// The files themselves: version 6 in its fixed order, version 7 section by section.

extension TraceBuilder {
    private func start() -> [UInt8] {
        var file: [UInt8] = [0x17, 0x08, 0x44] + Array("tracing".utf8)
        file.put(terminated: versionText)
        file.put(byteOrder)
        file.put(userLongSize)
        file.put(headerPageSize)
        return file
    }

    private var headerInfo: [UInt8] {
        let page =
            "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
            + "\tfield: local_t commit;\toffset:8;\tsize:\(longSize);\tsigned:1;\n"
            + "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
            + "\tfield: char data;\toffset:\(8 + longSize);\tsize:\(pageSize - 8 - longSize);\tsigned:0;\n"
        let event =
            "# compressed entry header\n\ttype_len    :    5 bits\n\ttime_delta  :   27 bits\n\tarray       :   32 bits\n\n"
            + "\tpadding     : type == 29\n\ttime_extend : type == 30\n\ttime_stamp : type == 31\n\tdata max type_len  == 28\n"
        var info: [UInt8] = []
        for (name, text) in [("header_page", page), ("header_event", event)] {
            info.put(terminated: name)
            info.put(UInt64(text.utf8.count))
            info += Array(text.utf8)
        }
        return info
    }

    private func formats(_ events: [BuiltEvent]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.put(UInt32(events.count))
        for event in events {
            bytes.put(UInt64(event.formatText.utf8.count))
            bytes += Array(event.formatText.utf8)
        }
        return bytes
    }

    private var ftraceFormats: [UInt8] { formats(events.filter { $0.system == "ftrace" }) }

    private var eventFormats: [UInt8] {
        var systems: [String] = []
        for event in events where event.system != "ftrace" && !systems.contains(event.system) {
            systems.append(event.system)
        }
        var bytes: [UInt8] = []
        bytes.put(UInt32(systems.count))
        for system in systems {
            bytes.put(terminated: system)
            bytes += formats(events.filter { $0.system == system })
        }
        return bytes
    }

    /// Text behind its size of 32 bits: kallsyms and trace_printk formats.
    private func sized(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.put(UInt32(text.utf8.count))
        return bytes + Array(text.utf8)
    }

    private var commandLineBytes: [UInt8] {
        let text = commandLines.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined()
        var bytes: [UInt8] = []
        bytes.put(UInt64(text.utf8.count))
        return bytes + Array(text.utf8)
    }
}

// MARK: Version 6

extension TraceBuilder {
    func version6() -> [UInt8] {
        var file =
            start() + headerInfo + ftraceFormats + eventFormats + sized(kernelSymbols) + sized("") + commandLineBytes
        let cpus = instances.reduce(0) { max($0, ($1.cpus.keys.max() ?? -1) + 1) }
        file.put(UInt32(cpus))
        file.put(terminated: "options  ")
        for option in optionSections.joined() {
            file.put(option.id)
            file.put(UInt32(option.data.count))
            file += option.data
        }
        var places: [Int] = []
        for instance in instances.dropFirst() {
            file.put(UInt16(3))
            file.put(UInt32(8 + instance.name.utf8.count + 1))
            places.append(file.count)
            file.put(UInt64(0))
            file.put(terminated: instance.name)
        }
        file.put(UInt16(0))
        guard !isLatencyText else { return file + Array("latency  \0# tracer: irqsoff\n".utf8) }
        putData(instances[0], cpus: cpus, &file)
        for (place, instance) in zip(places, instances.dropFirst()) {
            file.set(UInt64(file.count), at: place)
            putData(instance, cpus: cpus, &file)
        }
        return file
    }

    /// "flyrecord", the table of offsets and sizes, then the data at whole pages.
    private func putData(_ instance: Instance, cpus: Int, _ file: inout [UInt8]) {
        file.put(terminated: "flyrecord")
        let table = file.count
        file += [UInt8](repeating: 0, count: 16 * cpus)
        for cpu in 0..<cpus {
            file.pad(to: pageSize)
            let data = Array((instance.cpus[cpu]?.encodedPages ?? []).joined())
            file.set(UInt64(file.count), at: table + 16 * cpu)
            file.set(UInt64(data.count), at: table + 16 * cpu + 8)
            file += data
        }
    }
}

// MARK: Version 7

extension TraceBuilder {
    func version7() -> [UInt8] {
        var file = start()
        file.put(terminated: compressionName)
        file.put(terminated: packing == .none ? "" : "1.0")
        let firstOptions = file.count
        file.put(UInt64(0))
        var found: [Option] = []
        let sections: [(UInt16, [UInt8])] = [
            (16, headerInfo), (17, ftraceFormats), (18, eventFormats), (19, sized(kernelSymbols)), (20, sized("")),
            (21, commandLineBytes),
        ]
        for (id, body) in sections {
            var place: [UInt8] = []
            place.put(UInt64(file.count))
            found.append(Option(id: id, data: place))
            putSection(id, body, &file)
        }
        let buffers = instances.map { Option(id: isLatencyText ? 22 : 3, data: putBuffer($0, &file)) }
        var options = optionSections
        options[0] = found + options[0]
        options[options.count - 1] += buffers

        // Each section ends with the place of the next one.
        var link = firstOptions
        let first = UInt64(file.count)
        for section in options {
            file.set(UInt64(file.count), at: link)
            var body: [UInt8] = []
            for option in section {
                body.put(option.id)
                body.put(UInt32(option.data.count))
                body += option.data
            }
            body.put(UInt16(0))
            body.put(UInt32(8))
            body.put(optionsAreCircular ? first : UInt64(0))
            // Options are never compressed by trace-cmd either: their last word is written when the next ones are.
            link = file.count + 16 + body.count - 8
            putSection(0, body, &file, packed: false)
        }
        return file
    }

    /// Id, flags, description, size; then the body, compressed or not.
    private func putSection(_ id: UInt16, _ body: [UInt8], _ file: inout [UInt8], packed: Bool = true) {
        let isPacked = packed && packing != .none
        let stored = isPacked ? chunk(body) : body
        file.put(id)
        file.put(UInt16(isPacked ? 1 : 0))
        file.put(UInt32(0))
        file.put(UInt64(stored.count))
        file += stored
    }

    /// `body` as this file's compression stores it.
    package func stored(_ body: [UInt8]) -> [UInt8] { packing.stored(body) }

    /// Compressed size, size, compressed bytes.
    private func chunk(_ body: [UInt8]) -> [UInt8] {
        let stored = compress(body) ?? packing.stored(body)
        var bytes: [UInt8] = []
        bytes.put(UInt32(stored.count))
        bytes.put(UInt32(body.count))
        return bytes + stored
    }

    /// The BUFFER section of an instance; returns the data of its option.
    private func putBuffer(_ instance: Instance, _ file: inout [UInt8]) -> [UInt8] {
        var option: [UInt8] = []
        option.put(UInt64(file.count))
        option.put(terminated: instance.name)
        option.put(terminated: instance.clock ?? "")
        option.put(UInt32(pageSize))
        option.put(UInt32(instance.cpus.count))
        let header = file.count
        putSection(3, [], &file, packed: false)
        if packing != .none { file.set(UInt16(1), at: header + 2) }
        for (cpu, built) in instance.cpus.sorted(by: { $0.key < $1.key }) {
            file.pad(to: pageSize)
            let start = file.count
            let pages = built.encodedPages
            if packing == .none {
                file += pages.joined()
            } else if !pages.isEmpty {
                let chunks = stride(from: 0, to: pages.count, by: pagesPerChunk).map {
                    chunk(Array(pages[$0..<min(pages.count, $0 + pagesPerChunk)].joined()))
                }
                file.put(UInt32(chunks.count))
                file += chunks.joined()
            }
            option.put(UInt32(cpu))
            option.put(UInt64(start))
            // The size does not count the number of chunks.
            option.put(UInt64(file.count - start - (packing != .none && !pages.isEmpty ? 4 : 0)))
        }
        file.set(UInt64(file.count - header - 16), at: header + 8)
        return option
    }
}
