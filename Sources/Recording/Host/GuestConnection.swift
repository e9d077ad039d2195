// The recorder's side of the conversation with one guest's agent.

import ClockSync
import LinuxSystem
import NIOCore
import Sessions
import Synchronization

/// A guest that is recorded.
package struct GuestTarget: Equatable, Sendable {
    package var name: String
    package var address: AgentAddress

    package init(name: String, address: AgentAddress) {
        self.name = name
        self.address = address
    }
}

/// A guest that could not be recorded, or not to the end.
package struct GuestFault: Error, Sendable {
    package var guest: String
    package var reason: String
    /// What to do about it, where that is known.
    package var remedy: String?
    /// No connection was made at all.
    var isUnreachable = false

    package var text: String { "\(guest): \(reason)\(remedy.map { ". \($0)" } ?? "")" }
}

/// One guest's agent, connected and greeted.
///
/// Whatever it sends is taken at once, on a task of its own: trace data goes to `data`, the rest waits for whoever has
/// asked.
final class GuestConnection: Sendable {
    let target: GuestTarget
    let welcome: Message.Welcome
    private let channel: MessageChannel
    private let replies = Replies()
    /// Takes what it sends; nil until somebody wants it.
    private let reading = Mutex<Task<Void, Never>?>(nil)

    private init(_ target: GuestTarget, _ welcome: Message.Welcome, _ channel: MessageChannel) {
        self.target = target
        self.welcome = welcome
        self.channel = channel
    }

    /// From now on, messages are taken.
    /// - Parameters:
    ///   - sections: bytes of sections that are taken in all.
    ///   - data: gets the trace; what it throws ends the connection.
    ///   - lost: called once, when nothing more will come; not after `close`.
    func read(
        sections most: Int, data: @escaping @Sendable (Message.TraceBytes) throws -> Void,
        lost: @escaping @Sendable (GuestFault) -> Void
    ) {
        let task = Task {
            var sectionBytes = 0
            do {
                while true {
                    switch try await channel.receive() {
                    case .data(let bytes): try data(bytes)
                    case .section(let piece):
                        sectionBytes += piece.bytes.count + piece.name.utf8.count + GuestBudget.sectionOverhead
                        guard sectionBytes <= most else {
                            throw GuestFault.overBudget(
                                target.name, "what its trace says of itself", most, option: "--guest-memory")
                        }
                        try replies.add(.section(piece))
                    case let message: try replies.add(message)
                    }
                }
            } catch {
                // Told before whoever waits for an answer hears of it.
                if replies.isOpen { lost(fault(error, during: "the recording")) }
                replies.end(error)
                // Whoever does not keep to the rules is not waited for.
                if error as? ProtocolFault == .closed { await channel.close() } else { await channel.abort() }
            }
        }
        reading.withLock { $0 = task }
    }

    /// Returns when nothing of it goes on any more, after it was closed or lost.
    func end() async { await reading.withLock { $0 }?.value }

    /// Who asks an agent.
    enum Asker: String { case record, doctor }

    /// - Throws: `GuestFault`, which says why the agent could not be reached.
    static func open(
        _ target: GuestTarget, as asker: Asker = .record, key: PreSharedKey?,
        patience: TimeAmount = MessageChannel.patience,
        on group: any EventLoopGroup
    ) async throws -> GuestConnection {
        func fault(_ reason: String, _ remedy: String? = nil) -> GuestFault {
            GuestFault(guest: target.name, reason: reason, remedy: remedy)
        }
        let channel: MessageChannel
        do {
            channel = try await Connection.open(target.address, key: key, patience: patience, on: group)
        } catch {
            let obstacle = Obstacle(error, at: target.address)
            throw GuestFault(
                guest: target.name, reason: "its agent can't be reached at \(target.address): \(obstacle.reason)",
                remedy: obstacle.remedy,
                isUnreachable: true)
        }
        channel.expectAnswer(within: patience)
        defer { channel.expectAnswer(within: nil) }
        do {
            let system = SystemName.own
            channel.post(
                .hello(Message.Hello(peer: "virtlat \(asker.rawValue) on \(system.name), process \(processID())")))
            switch try await channel.receive() {
            case .welcome(let welcome):
                guard welcome.version == Message.version else { throw ProtocolFault.version(theirs: welcome.version) }
                return GuestConnection(target, welcome, channel)
            case .busy(let busy):
                throw fault(
                    "its agent is busy: it has been recording for \(busy.peer), for \(busy.seconds) s",
                    "Wait until that has ended, or end it (Ctrl-C, or kill its process, on the host it runs on)")
            case .refused(let refusal): throw fault("its agent refuses: \(refusal.reason)")
            case let other: throw ProtocolFault.unexpected(other.name)
            }
        } catch {
            await channel.close()
            if let fault = error as? GuestFault { throw fault }
            throw fault(
                "at \(target.address): \(FaultText.of(error))", "What the agent prints in the guest may say more")
        }
    }

    // MARK: Requests

    /// Sends a request and waits for its answer.
    /// - Parameter section: takes what a guest says of its trace before it answers, where it may do so.
    private func ask(_ request: Message, section: (TraceSection) -> Bool = { _ in false }) async throws -> Message {
        channel.expectAnswer(within: channel.patience)
        defer { channel.expectAnswer(within: nil) }
        do {
            channel.post(request)
            while true {
                switch try await replies.next() {
                case .refused(let refusal):
                    throw GuestFault(guest: target.name, reason: "its agent refuses: \(refusal.reason)")
                case .section(let piece) where section(piece): continue
                case let message: return message
                }
            }
        } catch {
            throw fault(error, during: request.name)
        }
    }

    private func fault(_ error: any Error, during what: String) -> GuestFault {
        switch error {
        case let fault as GuestFault: return fault
        case GuestFile.Fault.tooMuch(let bytes):
            return .overBudget(target.name, "trace data", bytes, option: "--guest-data")
        case GuestFile.Fault.notACPU(let cpu):
            return GuestFault(
                guest: target.name, reason: "its agent sends data of CPU \(cpu), which it has not, or had before")
        case GuestFile.Fault.notWhole(let count):
            return GuestFault(
                guest: target.name, reason: "its agent sends \(count) bytes of data, which are no whole sub-buffers")
        default: break
        }
        return GuestFault(guest: target.name, reason: "lost during \(what): \(FaultText.of(error))")
    }

    private func unexpected(_ message: Message) -> GuestFault {
        GuestFault(guest: target.name, reason: "its agent answers \(message.name) out of turn")
    }

    func prepare(_ preparation: Message.Preparation) async throws -> Message.Prepared {
        let message = try await ask(.prepare(preparation))
        guard case .prepared(let prepared) = message else { throw unexpected(message) }
        return prepared
    }

    /// - Parameter section: gets what a guest that sends live says of its trace beforehand.
    func start(section: (TraceSection) -> Void) async throws {
        let message = try await ask(.start) { piece in
            section(piece)
            return true
        }
        guard case .started = message else { throw unexpected(message) }
    }

    /// Exchanges probes; this side's stamps go to `markers`.
    func exchange(_ numbers: Range<UInt32>, markers: MarkerFile) async throws {
        do { try await channel.exchange(numbers, markers: markers) } catch {
            throw fault(error, during: "the clock exchange")
        }
    }

    func stop() async throws -> Message.Stopped {
        let message = try await ask(.stop)
        guard case .stopped(let stopped) = message else { throw unexpected(message) }
        return stopped
    }

    /// Fetches what is left: sections go to `section` as they come, data where `read` says.
    /// - Returns: what the agent could not keep, for people; empty when all is there.
    func collect(kernelSymbols: Bool, section: (TraceSection) -> Void) async throws -> String {
        let message = try await ask(.collect(Message.Collection(wantsKernelSymbols: kernelSymbols))) { piece in
            section(piece)
            return true
        }
        guard case .collected(let fault) = message else { throw unexpected(message) }
        return fault
    }

    /// Ends the connection in the middle of whatever goes on, which is then lost.
    func abandon() async { await channel.close() }

    /// Ends the conversation.
    func close() async {
        replies.close()
        if reading.withLock({ $0 != nil }) {
            // Waited for, so that the agent's instance is gone when we are.
            _ = try? await ask(.end)
        } else {
            try? await channel.send(.end)
        }
        await channel.close()
    }

    /// Answers that wait for whoever asked.
    private final class Replies: Sendable {
        private let state = Mutex(State())

        private struct State {
            var messages: CircularBuffer<Message> = []
            /// Those among them that are no sections.
            var others = 0
            var waiting: CheckedContinuation<Message, any Error>?
            var fault: (any Error)?
            var isClosed = false
        }

        /// An agent that sends more than this unasked is none: of sections, whose bytes are counted elsewhere, and of
        /// others.
        private static let most = 65_536
        private static let mostOthers = 16

        func add(_ message: Message) throws {
            try state.withLock { state in
                if let waiting = state.waiting {
                    state.waiting = nil
                    return waiting.resume(returning: message)
                }
                if case .section = message {} else { state.others += 1 }
                guard state.messages.count < Self.most, state.others <= Self.mostOthers else {
                    throw ProtocolFault.unexpected("a flood of messages")
                }
                state.messages.append(message)
            }
        }

        func next() async throws -> Message {
            try await withCheckedThrowingContinuation { continuation in
                state.withLock { state in
                    if !state.messages.isEmpty {
                        let message = state.messages.removeFirst()
                        if case .section = message {} else { state.others -= 1 }
                        continuation.resume(returning: message)
                    } else if let fault = state.fault {
                        continuation.resume(throwing: fault)
                    } else {
                        state.waiting = continuation
                    }
                }
            }
        }

        /// Nothing more will come.
        func end(_ error: any Error) {
            state.withLock { state in
                if state.fault == nil { state.fault = error }
                state.waiting?.resume(throwing: error)
                state.waiting = nil
            }
        }

        var isOpen: Bool { state.withLock { !$0.isClosed && $0.fault == nil } }

        func close() { state.withLock { $0.isClosed = true } }
    }
}
