// Messages as bytes: a type, then the fields in order, big-endian; every count and length is bounded before anything is
// taken.

import NIOCore

/// A message that breaks the protocol.
enum ProtocolFault: Error, Equatable, Sendable {
    case unknownType(UInt8)
    case malformed(message: String, field: String)
    case tooLong(UInt32)
    case version(theirs: UInt16)
    case notVirtlat
    case unexpected(String)
    /// No answer for so long.
    case silent(TimeAmount)
    /// It answers, with less of its trace than `MessageChannel.leastPace`.
    case slow
    /// It has not taken a message for so long.
    case deaf(TimeAmount)
    case closed
}

extension Message {
    private var type: UInt8 {
        switch self {
        case .hello: 1
        case .prepare: 2
        case .start: 3
        case .probe: 4
        case .stop: 5
        case .collect: 6
        case .end: 7
        case .welcome: 65
        case .busy: 66
        case .prepared: 67
        case .started: 68
        case .probed: 69
        case .stopped: 70
        case .section: 71
        case .data: 72
        case .collected: 73
        case .ended: 74
        case .refused: 75
        }
    }

    /// The name of the message, without what it holds.
    var name: String { String("\(self)".prefix { $0 != "(" }) }

    // MARK: Writing

    func write(to buffer: inout ByteBuffer) {
        buffer.writeInteger(type)
        switch self {
        case .start, .stop, .end, .started, .ended: break
        case .probe(let number), .probed(let number): buffer.writeInteger(number)
        case .hello(let hello):
            buffer.write(text: Self.magic)
            buffer.writeInteger(hello.version)
            buffer.write(text: hello.peer)
        case .prepare(let preparation):
            buffer.write(text: preparation.clock)
            buffer.writeInteger(preparation.bufferKiB)
            buffer.writeInteger(UInt8(preparation.isLive ? 1 : 0))
            buffer.writeInteger(preparation.crossTimestampMilliseconds)
            buffer.write(events: preparation.events)
        case .collect(let collection): buffer.writeInteger(UInt8(collection.wantsKernelSymbols ? 1 : 0))
        case .welcome(let welcome): buffer.write(welcome)
        case .busy(let busy):
            buffer.writeInteger(busy.seconds)
            buffer.write(text: busy.peer)
        case .prepared(let prepared):
            buffer.writeInteger(prepared.bufferKiB)
            buffer.write(events: prepared.enabled)
            buffer.write(texts: prepared.absent)
            buffer.writeInteger(prepared.multiplier)
            buffer.writeInteger(prepared.shift)
        case .stopped(let stopped): buffer.write(stopped)
        case .section(let section):
            buffer.writeInteger(section.kind.rawValue)
            buffer.write(text: section.name)
            buffer.writeBytes(section.bytes)
        case .data(let data):
            buffer.writeInteger(data.cpu)
            buffer.writeBytes(data.bytes)
        case .collected(let fault): buffer.write(text: fault)
        case .refused(let refusal): buffer.write(text: refusal.reason)
        }
    }

    // MARK: Reading

    /// Reads a message that fills `buffer`.
    init(reading buffer: ByteBuffer) throws(ProtocolFault) {
        var fields = try FieldReader(buffer)
        switch fields.type {
        case 1:
            guard try fields.text("magic") == Self.magic else { throw .notVirtlat }
            self = .hello(Hello(version: try fields.number("version"), peer: try fields.line("peer")))
        case 2:
            let clock = try fields.text("clock")
            let size: UInt32 = try fields.number("buffer")
            let isLive = try fields.flag("live")
            let interval: UInt32 = try fields.number("interval")
            self = .prepare(
                Preparation(
                    clock: clock, bufferKiB: size, isLive: isLive, events: try fields.events("events"),
                    crossTimestampMilliseconds: interval
                ))
        case 3: self = .start
        case 4: self = .probe(number: try fields.number("number"))
        case 5: self = .stop
        case 6: self = .collect(Collection(wantsKernelSymbols: try fields.flag("kernel symbols")))
        case 7: self = .end
        case 65: self = .welcome(try fields.welcome())
        case 66: self = .busy(Busy(seconds: try fields.number("seconds"), peer: try fields.text("peer")))
        case 67:
            self = .prepared(
                Prepared(
                    bufferKiB: try fields.number("buffer"), enabled: try fields.events("enabled"),
                    absent: try fields.texts("absent"),
                    multiplier: try fields.number("multiplier"), shift: try fields.number("shift")))
        case 68: self = .started
        case 69: self = .probed(number: try fields.number("number"))
        case 70: self = .stopped(try fields.stopped())
        case 71:
            let kind: UInt8 = try fields.number("kind")
            guard let kind = TraceSection.Kind(rawValue: kind) else { throw fields.fault("kind") }
            self = .section(TraceSection(kind: kind, name: try fields.text("name"), bytes: fields.rest()))
        case 72: self = .data(TraceBytes(cpu: try fields.number("cpu"), bytes: fields.rest()))
        case 73: self = .collected(fault: try fields.text("fault"))
        case 74: self = .ended
        case 75: self = .refused(Refusal(reason: try fields.text("reason")))
        default: throw .unknownType(fields.type)
        }
        try fields.expectEnd()
    }
}

extension ByteBuffer {
    /// Text behind its length of 16 bits; what is longer is cut.
    fileprivate mutating func write(text: String) {
        var bytes = Array(text.utf8.prefix(FieldReader.longestText))
        while String(validating: bytes, as: UTF8.self) == nil { bytes.removeLast() }
        writeInteger(UInt16(bytes.count))
        writeBytes(bytes)
    }

    fileprivate mutating func write(texts: [String]) {
        writeInteger(UInt16(texts.count))
        for text in texts { write(text: text) }
    }

    fileprivate mutating func write(events: [Message.Preparation.Event]) {
        writeInteger(UInt16(events.count))
        for event in events {
            write(text: event.name)
            write(text: event.filter)
        }
    }

    fileprivate mutating func write(_ welcome: Message.Welcome) {
        writeInteger(welcome.version)
        write(text: welcome.name)
        write(text: welcome.release)
        write(text: welcome.uname)
        writeInteger(welcome.cpus)
        writeInteger(welcome.pageSize)
        writeInteger(welcome.longSize)
        writeInteger(welcome.availableMemoryKiB)
        write(texts: welcome.clocks)
        write(texts: welcome.networkAddresses)
        write(texts: welcome.remarks)
    }

    fileprivate mutating func write(_ stopped: Message.Stopped) {
        writeInteger(stopped.processorTime)
        writeInteger(stopped.wakeUps)
        writeInteger(stopped.bytesDuring)
        writeInteger(UInt16(stopped.threads.count))
        for thread in stopped.threads { writeInteger(thread) }
        writeInteger(UInt16(stopped.crossTimestamps.count))
        for stamp in stopped.crossTimestamps {
            writeMultipleIntegers(
                stamp.host, stamp.realtime, stamp.monotonicRaw, stamp.monotonic, stamp.before, stamp.after)
        }
        write(text: stopped.fault)
    }
}

extension FieldReader {
    fileprivate mutating func welcome() throws(ProtocolFault) -> Message.Welcome {
        let welcome = Message.Welcome(
            version: try number("version"), name: try text("name"), release: try text("release"),
            uname: try text("uname"),
            cpus: try number("cpus"), pageSize: try number("page size"), longSize: try number("long size"),
            availableMemoryKiB: try number("memory"), clocks: try texts("clocks"),
            networkAddresses: try texts("network addresses"),
            remarks: try texts("remarks"))
        // What is calculated with later has to make sense now.
        guard (1...8192).contains(welcome.cpus) else { throw fault("cpus") }
        guard (1024...1 << 26).contains(welcome.pageSize), welcome.pageSize.nonzeroBitCount == 1 else {
            throw fault("page size")
        }
        guard welcome.longSize == 4 || welcome.longSize == 8 else { throw fault("long size") }
        return welcome
    }

    fileprivate mutating func stopped() throws(ProtocolFault) -> Message.Stopped {
        let time: UInt64 = try number("processor time")
        let wakeUps: UInt64 = try number("wake-ups")
        let bytes: UInt64 = try number("bytes")
        let threads = try list("threads") { (fields) throws(ProtocolFault) in try fields.number("thread") as Int32 }
        let stamps = try list("cross-timestamps") { (fields) throws(ProtocolFault) in
            Message.Stopped.Stamp(
                host: try fields.number("host"), realtime: try fields.number("realtime"),
                monotonicRaw: try fields.number("monotonic raw"),
                monotonic: try fields.number("monotonic"), before: try fields.number("before"),
                after: try fields.number("after"))
        }
        return Message.Stopped(
            processorTime: time, wakeUps: wakeUps, bytesDuring: bytes, threads: threads, crossTimestamps: stamps,
            fault: try text("fault"))
    }

    fileprivate mutating func events(_ field: String) throws(ProtocolFault) -> [Message.Preparation.Event] {
        try list(field) { (fields) throws(ProtocolFault) in
            Message.Preparation.Event(name: try fields.text("name"), filter: try fields.text("filter"))
        }
    }
}
