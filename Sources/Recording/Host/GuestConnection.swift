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
/// Whatever it sends is taken at once, on a task of its own: trace data goes to `data`, the rest waits for whoever has asked.
final class GuestConnection: Sendable {
    let target: GuestTarget
    let welcome: Message.Welcome
    private let channel: MessageChannel
    private let replies = Replies()
    /// Somebody takes what it sends.
    private let isRead = Atomic<Bool>(false)

    private init(_ target: GuestTarget, _ welcome: Message.Welcome, _ channel: MessageChannel) {
        self.target = target
        self.welcome = welcome
        self.channel = channel
    }

    /// From now on, messages are taken.
    /// - Parameters:
    ///   - data: gets the trace; what it throws ends the connection.
    ///   - lost: called once, when nothing more will come; not after `close`.
    func read(data: @escaping @Sendable (Message.TraceBytes) throws -> Void, lost: @escaping @Sendable (GuestFault) -> Void) {
        isRead.store(true, ordering: .relaxed)
        Task {
            do {
                while true {
                    switch try await channel.receive() {
                    case .data(let bytes): try data(bytes)
                    case let message: try replies.add(message)
                    }
                }
            } catch {
                // Told before whoever waits for an answer hears of it.
                if replies.isOpen { lost(fault(error, during: "the recording")) }
                replies.end(error)
                await channel.close()
            }
        }
    }

    /// Who asks an agent.
    enum Asker: String { case record, doctor }

    /// - Throws: `GuestFault`, which says why the agent could not be reached.
    static func open(_ target: GuestTarget, as asker: Asker = .record, key: PreSharedKey?, on group: any EventLoopGroup) async throws
        -> GuestConnection
    {
        func fault(_ reason: String, _ remedy: String? = nil) -> GuestFault {
            GuestFault(guest: target.name, reason: reason, remedy: remedy)
        }
        let channel: MessageChannel
        do {
            channel = try await Connection.open(target.address, key: key, on: group)
        } catch {
            let obstacle = Obstacle(error, at: target.address)
            throw GuestFault(
                guest: target.name, reason: "its agent can't be reached at \(target.address): \(obstacle.reason)", remedy: obstacle.remedy,
                isUnreachable: true)
        }
        channel.expectAnswer(true)
        defer { channel.expectAnswer(false) }
        do {
            let system = SystemName.own
            channel.post(.hello(Message.Hello(peer: "virtlat \(asker.rawValue) on \(system.name), process \(processID())")))
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
            throw fault("at \(target.address): \(FaultText.of(error))", "What the agent prints in the guest may say more")
        }
    }

    // MARK: Requests

    /// Sends a request and waits for its answer.
    private func ask(_ request: Message) async throws -> Message {
        do {
            channel.post(request)
            return try await answer()
        } catch {
            throw fault(error, during: request.name)
        }
    }

    private func answer() async throws -> Message {
        channel.expectAnswer(true)
        defer { channel.expectAnswer(false) }
        let message = try await replies.next()
        if case .refused(let refusal) = message { throw GuestFault(guest: target.name, reason: "its agent refuses: \(refusal.reason)") }
        return message
    }

    private func fault(_ error: any Error, during what: String) -> GuestFault {
        if let fault = error as? GuestFault { return fault }
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
        var message = try await ask(.start)
        while case .section(let piece) = message {
            section(piece)
            do { message = try await answer() } catch { throw fault(error, during: "start") }
        }
        guard case .started = message else { throw unexpected(message) }
    }

    /// Exchanges probes; this side's stamps go to `markers`.
    func exchange(_ numbers: Range<UInt32>, markers: MarkerFile) async throws {
        do { try await channel.exchange(numbers, markers: markers) } catch { throw fault(error, during: "the clock exchange") }
    }

    func stop() async throws -> Message.Stopped {
        let message = try await ask(.stop)
        guard case .stopped(let stopped) = message else { throw unexpected(message) }
        return stopped
    }

    /// Fetches what is left: sections go to `section` as they come, data where `read` says.
    /// - Returns: what the agent could not keep, for people; empty when all is there.
    func collect(kernelSymbols: Bool, section: (TraceSection) -> Void) async throws -> String {
        var message = try await ask(.collect(Message.Collection(wantsKernelSymbols: kernelSymbols)))
        while true {
            switch message {
            case .section(let piece): section(piece)
            case .collected(let fault): return fault
            default: throw unexpected(message)
            }
            do { message = try await answer() } catch { throw fault(error, during: "the transfer") }
        }
    }

    /// Ends the connection in the middle of whatever goes on, which is then lost.
    func abandon() async { await channel.close() }

    /// Ends the conversation.
    func close() async {
        replies.close()
        if isRead.load(ordering: .relaxed) {
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
            var messages: [Message] = []
            var waiting: CheckedContinuation<Message, any Error>?
            var fault: (any Error)?
            var isClosed = false
        }

        /// An agent that sends more than this unasked is none.
        private static let most = 65_536

        func add(_ message: Message) throws {
            try state.withLock { state in
                if let waiting = state.waiting {
                    state.waiting = nil
                    return waiting.resume(returning: message)
                }
                guard state.messages.count < Self.most else { throw ProtocolFault.unexpected("a flood of messages") }
                state.messages.append(message)
            }
        }

        func next() async throws -> Message {
            try await withCheckedThrowingContinuation { continuation in
                state.withLock { state in
                    if !state.messages.isEmpty {
                        continuation.resume(returning: state.messages.removeFirst())
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
