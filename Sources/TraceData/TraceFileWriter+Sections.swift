// The sections behind the events, and the header that makes a file of them.

package import LinuxSystem

extension TraceFileWriter {
    /// Writes all that is not events, and last of all where in the file it is found.
    ///
    /// It may be called again with another description, after an error (when there is space again for example) or when
    /// more has become known; the last one holds.
    package mutating func finish(_ description: TraceDescription) throws(SystemError) {
        if isFinished {
            try output.write(header(longSize: description.longSize, options: 0), at: 0)
        } else {
            endCPU()
        }
        let end = dataEnd
        var sections = SectionWriter(place: end)
        sections.add(TraceOptions.ID.headerInfo, Self.headerInfo(description))
        sections.add(TraceOptions.ID.ftraceFormats, Self.formats(description.formats.filter { $0.system == "ftrace" }))
        sections.add(TraceOptions.ID.eventFormats, Self.eventFormats(description.formats))
        sections.add(TraceOptions.ID.kernelSymbols, Self.sized(description.kernelSymbols))
        sections.add(TraceOptions.ID.printFormats, Self.sized(description.printFormats))
        sections.add(TraceOptions.ID.commandLines, Self.commandLines(description.commandLines))
        let options = sections.place
        sections.addOptions(sections.found + self.options(of: description))

        // trace-cmd looks for sections from the header on, each right behind the one before, so BUFFER reaches up to
        // them.
        var buffer: [UInt8] = []
        SectionWriter.putHeader(TraceOptions.ID.buffer, size: end - Self.headerSize - Self.sectionHeaderSize, &buffer)
        try output.write(sections.bytes, at: end)
        try output.write(buffer, at: Self.headerSize)
        try output.truncate(to: end + sections.bytes.count)
        try output.write(header(longSize: description.longSize, options: options), at: 0)
        isFinished = true
    }

    /// The file's first bytes.
    func header(longSize: Int, options: Int) -> [UInt8] {
        var bytes = TraceFile.magic
        bytes.append(terminated: "7")
        bytes.append(0)  // little endian
        bytes.append(UInt8(longSize))
        bytes.append(number: UInt32(pageSize))
        bytes.append(terminated: Compression.none.rawValue)
        bytes.append(terminated: "")
        bytes.append(number: UInt64(options))
        return bytes
    }

    private static func headerInfo(_ description: TraceDescription) -> [UInt8] {
        var bytes: [UInt8] = []
        for (name, text) in [("header_page", description.headerPage), ("header_event", description.headerEvent)] {
            bytes.append(terminated: name)
            bytes.append(number: UInt64(text.count))
            bytes += text
        }
        return bytes
    }

    /// A count, then size and text of each.
    private static func formats(_ formats: [FormatText]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(number: UInt32(formats.count))
        for format in formats {
            bytes.append(number: UInt64(format.text.utf8.count))
            bytes += format.text.utf8
        }
        return bytes
    }

    private static func eventFormats(_ formats: [FormatText]) -> [UInt8] {
        var systems: [String] = []
        for format in formats where format.system != "ftrace" && !systems.contains(format.system) {
            systems.append(format.system)
        }
        var bytes: [UInt8] = []
        bytes.append(number: UInt32(systems.count))
        for system in systems {
            bytes.append(terminated: system)
            bytes += Self.formats(formats.filter { $0.system == system })
        }
        return bytes
    }

    /// Text behind its size of 32 bits.
    private static func sized(_ text: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(number: UInt32(text.count))
        return bytes + text
    }

    /// Lines "PID NAME" behind their size of 64 bits. A thread may call itself anything, even two lines.
    private static func commandLines(_ lines: [(thread: Int32, name: String)]) -> [UInt8] {
        var text: [UInt8] = []
        for line in lines {
            text += "\(line.thread) ".utf8
            text += line.name.utf8.map { $0 == UInt8(ascii: "\n") || $0 == 0 ? UInt8(ascii: "?") : $0 }
            text.append(UInt8(ascii: "\n"))
        }
        var bytes: [UInt8] = []
        bytes.append(number: UInt64(text.count))
        return bytes + text
    }
}

/// Sections one behind the other, and the options that say where they are.
struct SectionWriter {
    private let start: Int
    private(set) var bytes: [UInt8] = []
    private(set) var found: [TraceFileWriter.Option] = []

    init(place: Int) { start = place }

    /// Where in the file the next section begins.
    var place: Int { start + bytes.count }

    /// Id, flags (not compressed), description (a place in the file's strings; we keep none, nobody reads it), size.
    static func putHeader(_ id: UInt16, description: UInt32 = 0, size: Int, _ bytes: inout [UInt8]) {
        bytes.append(number: id)
        bytes.append(number: UInt16(0))
        bytes.append(number: description)
        bytes.append(number: UInt64(size))
    }

    mutating func add(_ id: UInt16, _ body: [UInt8]) {
        var option = TraceFileWriter.Option(id: id)
        option.data.append(number: UInt64(place))
        found.append(option)
        Self.putHeader(id, size: body.count, &bytes)
        bytes += body
    }

    /// The OPTIONS section; its last option says that there is no other one.
    mutating func addOptions(_ options: [TraceFileWriter.Option]) {
        var last = TraceFileWriter.Option(id: TraceOptions.ID.done)
        last.data.append(number: UInt64(0))
        var body: [UInt8] = []
        for option in options + [last] {
            body.append(number: option.id)
            body.append(number: UInt32(option.data.count))
            body += option.data
        }
        Self.putHeader(TraceOptions.ID.done, size: body.count, &bytes)
        bytes += body
    }
}
