// The kinds: how an application may send and read. Each is one function on a bench.

/// One way to send and read.
struct Kind: Sendable {
    let name: String
    let summary: String
    /// Whether each of its packets is sent in a system call that a recording has; else app.send may be absent.
    let sendsInTracedCall: Bool
    /// Whether all packets of one direction leave one CPU, so that the k-th on the device is the k-th that was sent.
    let isOrdered: Bool
    let run: @Sendable (Bench) throws -> Void

    init(
        _ name: String, _ summary: String, tracedSend: Bool = true, ordered: Bool = true,
        run: @escaping @Sendable (Bench) throws -> Void
    ) {
        self.name = name
        self.summary = summary
        sendsInTracedCall = tracedSend
        isOrdered = ordered
        self.run = run
    }

    static let all: [Kind] = [
        readers, manyReaders, senders, segments, merging, carriers, frames, streams, connections, losses,
    ].flatMap(\.self)

    static func named(_ name: String) -> Kind? { all.first { $0.name == name } }
}
