// What a peer sends, as the other end takes it: frames, messages, and a guest's trace on its way into a file.

import ClockSync
import NIOCore
import NIOEmbedded
import Sessions
import TraceData

#if DEBUG || FUZZING
    @testable import Recording

    /// Bytes of a connection, in pieces whose size the first byte says. What comes out of them is what a recorder would
    /// keep of a guest.
    func listen(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let messages = received(bytes.dropFirst(), pieces: max(1, Int(first) * 8))
        for message in messages { checkCoding(message) }
        keep(messages)
    }

    /// Frames as they come off a connection, up to the first that breaks the protocol.
    private func received(_ bytes: ArraySlice<UInt8>, pieces: Int) -> [Message] {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(MessageCodec(longest: MessageCodec.longestFrame)))
        var rest = bytes
        do {
            while !rest.isEmpty {
                try channel.writeInbound(ByteBuffer(bytes: rest.prefix(pieces)))
                rest = rest.dropFirst(pieces)
            }
        } catch {
            precondition(error is ProtocolFault, "\(error)")
            _ = FaultText.of(error)
        }
        var messages: [Message] = []
        while let message = try? channel.readInbound(as: Message.self) { messages.append(message) }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        return messages
    }

    /// A message is the same after it was written and read again.
    private func checkCoding(_ message: Message) {
        var buffer = ByteBuffer()
        message.write(to: &buffer)
        guard let again = try? Message(reading: buffer) else {
            preconditionFailure("\(message.name) can't be read back")
        }
        precondition(again == message, "\(message.name) changes when it is read back")
    }

    /// A guest's part of a recording, from its messages.
    private func keep(_ messages: [Message]) {
        var welcome: Message.Welcome?
        var enabled: [Message.Preparation.Event] = []
        var stopped: Message.Stopped?
        var pieces: [TraceSection] = []
        var data: [Message.TraceBytes] = []
        for message in messages {
            switch message {
            case .welcome(let message): welcome = message
            case .prepared(let message): enabled = message.enabled
            case .stopped(let message): stopped = message
            case .section(let section): pieces.append(section)
            case .data(let bytes): data.append(bytes)
            default: break
            }
        }
        let cpus = Int(welcome?.cpus ?? 1)
        let machine = RecordedMachine(
            name: "evil", role: .guest, file: "evil.dat", release: welcome?.release ?? "", cpus: cpus, traceID: 2,
            events: enabled.map { RecordedEvent(event: $0.name, filter: $0.filter) }, absentEvents: [], bufferKiB: 64)
        do {
            let file = try GuestFile(
                folder: Scratch.folder, name: "evil.dat", cpus: min(cpus, 64), pageSize: Int(welcome?.pageSize ?? 4096),
                isLive: false)
            defer { file.discard() }
            file.allow(8 << 20)
            for bytes in data { try? file.take(bytes) }
            var description = TraceDescription(
                TraceSection.joined(pieces), machine: machine, uname: welcome?.uname ?? "", traceClock: "mono",
                conversion: nil)
            try file.finish(description)
            let scan = try TraceScan(file.path, events: machine.events, threads: Set(stopped?.threads ?? []))
            // Whoever echoes the markers is paired with himself.
            let exchanges = Exchange.pair(host: scan, hostClock: nil, guest: scan, guestClock: nil, numbers: 0..<64)
            description.timeShifts = TimeShift.exchanges(exchanges, cpus: cpus)
            try file.finish(description)
            // Whatever the guest said: a file that the recorder wrote is a trace file.
            _ = try TraceFile(path: file.path)
        } catch {
            _ = FaultText.of(error)
        }
    }
#else
    func listen(_ bytes: [UInt8]) { preconditionFailure("built without -enable-testing") }
#endif
