// The agent's connections. Whoever opens them need not have the key, so what they take together is bounded.

import NIOCore
import Synchronization

/// All that go on, so that none is left behind at the end, and those without a session are few.
final class Conversations: Sendable {
    /// Connections without a session: each takes a descriptor and TLS's memory. A recorder's has one after
    /// milliseconds.
    static let most = 64

    private struct Conversation {
        var channel: MessageChannel
        var peer: String
        var task: Task<Void, Never>
        var hasSession = false
        /// Its end is under way.
        var isCutOff = false
    }

    /// The oldest first.
    private let going = Mutex<[Conversation]>([])

    /// Begins one. Where there are too many, the oldest without a session is cut off.
    /// - Returns: whose that was.
    func add(_ channel: MessageChannel, _ peer: String, _ converse: @escaping @Sendable () async -> Void) -> String? {
        let surplus = going.withLock { going -> Conversation? in
            let task = Task {
                await converse()
                self.going.withLock { $0.removeAll { $0.channel.channel === channel.channel } }
            }
            going.append(Conversation(channel: channel, peer: peer, task: task))
            let others = going.indices.filter { !going[$0].hasSession && !going[$0].isCutOff }
            guard others.count > Self.most else { return nil }
            going[others[0]].isCutOff = true
            return going[others[0]]
        }
        guard let surplus else { return nil }
        let channel = surplus.channel.channel
        channel.eventLoop.execute { channel.cut() }
        return surplus.peer
    }

    /// A session's connection is not cut off for others.
    func set(hasSession: Bool, _ channel: MessageChannel) {
        going.withLock { going in
            guard let index = going.firstIndex(where: { $0.channel.channel === channel.channel }) else { return }
            going[index].hasSession = hasSession
        }
    }

    /// Ends them all, and returns when nothing goes on any more.
    func end() async {
        for conversation in going.withLock({ $0 }) {
            // A goodbye is waited for where somebody has been listened to.
            if conversation.hasSession {
                await conversation.channel.close()
            } else {
                await conversation.channel.abort()
            }
            await conversation.task.value
        }
    }
}
