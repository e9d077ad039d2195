// How connections are made and taken, on vsock and TCP.

import Glibc
import NIOCore
import NIOPosix
import NIOSSL

enum Connection {
    private static let connectTimeout = TimeAmount.seconds(10)

    /// Connects to an agent.
    /// - Parameter patience: with its answers, once it is connected.
    static func open(
        _ address: AgentAddress, key: PreSharedKey?, patience: TimeAmount = MessageChannel.patience,
        on group: any EventLoopGroup
    ) async throws -> MessageChannel {
        let context = try key?.clientContext()
        let bootstrap = ClientBootstrap(group: group)
            // Bytes are read when somebody asks for a message.
            .channelOption(.autoRead, value: false)
            .connectTimeout(connectTimeout)
        switch address {
        case .vsock(let cid, let port):
            return try await bootstrap.connect(
                to: VsockAddress(cid: VsockAddress.ContextID(rawValue: cid), port: VsockAddress.Port(rawValue: port))
            ) { channel in
                channel.eventLoop.makeCompletedFuture { try MessageChannel(on: channel, patience: patience) }
            }
        case .tcp(let host, let port):
            return try await bootstrap.connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: nil))
                    }
                    return try MessageChannel(on: channel, patience: patience)
                }
            }
            .keepingWatch()
        }
    }

    /// Takes connections until the channel that is returned is closed.
    /// - Parameter taken: called for each, with a name for its other side; refused ones never get that far.
    static func listen(
        _ address: AgentListenAddress, key: PreSharedKey?, allowedContexts: Set<UInt32>?,
        patience: TimeAmount = MessageChannel.patience,
        on group: any EventLoopGroup,
        refused: @escaping @Sendable (String) -> Void, taken: @escaping @Sendable (MessageChannel, String) -> Void
    ) async throws -> any Channel {
        let context = try key?.serverContext()
        let request = { @Sendable (channel: any Channel) in
            try MessageChannel(on: channel, patience: patience, longestFrame: MessageCodec.longestRequest)
        }
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 4)
            .childChannelOption(.autoRead, value: false)
        switch address {
        case .vsock(let port):
            return try await bootstrap.childChannelInitializer { channel in
                Peer.context(of: channel).flatMapThrowing { cid in
                    guard let allowedContexts, !allowedContexts.contains(cid) else {
                        return taken(try request(channel), "vsock CID \(cid)")
                    }
                    refused("vsock CID \(cid)")
                    throw ProtocolFault.closed
                }
            }
            .bind(to: VsockAddress(cid: .any, port: VsockAddress.Port(rawValue: port))).get()
        case .tcp(let host, let port):
            // Without a key anybody could trace: the caller has seen to it that there is one.
            guard let context else { throw ProtocolFault.unexpected("listening on TCP without a key") }
            return try await bootstrap.childChannelInitializer { channel in
                let peer = channel.remoteAddress?.text ?? "TCP"
                return Silence.options(of: channel).flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    // Last of all: who is taken has a connection that works.
                    taken(try request(channel), peer)
                    Silence.watch(channel)
                }
                .flatMapErrorThrowing { error in
                    refused("\(peer): \(FaultText.of(error))")
                    throw error
                }
            }
            .bind(host: host, port: port).get()
        }
    }
}

extension MessageChannel {
    /// For a connection over a network, which can vanish without a word.
    fileprivate func keepingWatch() async throws -> MessageChannel {
        try await KeepAlive.set(on: channel).get()
        return self
    }
}

/// How the recorder finds that an agent has vanished, within 4 s (3 s, and the timers' coarseness): TCP's own probes,
/// see tcp(7). Only the recorder probes: its packets and the answers to them can be told from the measured ones
/// (tcp_probe in the guest), an agent's could not.
private enum KeepAlive {
    static func set(on channel: any Channel) -> EventLoopFuture<Void> {
        Silence.options(
            of: channel,
            [
                (.socketOption(.so_keepalive), 1),
                (.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPIDLE)), 1),
                (.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPINTVL)), 1),
                // With TCP_USER_TIMEOUT this does not matter.
                (.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPCNT)), 2),
            ])
    }
}

/// How the agent finds that a recorder has vanished: no segment came for 4 s, where the recorder's kernel sends one
/// each second.
private enum Silence {
    private static let limit = TimeAmount.seconds(4)
    private static let interval = TimeAmount.milliseconds(500)

    static func options(
        of channel: any Channel, _ others: [(ChannelOptions.Types.SocketOption, SocketOptionValue)] = []
    ) -> EventLoopFuture<Void> {
        let options: [(ChannelOptions.Types.SocketOption, SocketOptionValue)] = [
            // In ms, for bytes that were sent and are not acknowledged.
            (.tcpOption(NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)), 3000),
            (.tcpOption(.tcp_nodelay), 1),
        ]
        return .andAllSucceed((options + others).map { channel.setOption($0, value: $1) }, on: channel.eventLoop)
    }

    static func watch(_ channel: any Channel) {
        guard let socket = channel as? any SocketOptionProvider else { return }
        let loop = channel.eventLoop
        let seen = NIOLoopBoundBox((segments: UInt32(0), since: NIODeadline.now()), eventLoop: loop)
        loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { task in
            guard channel.isActive else { return task.cancel() }
            let information: EventLoopFuture<Information> = socket.unsafeGetSocketOption(
                level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_INFO))
            information.whenSuccess { information in
                let segments = information.words[Information.segmentsIn]
                if segments != seen.value.segments || segments == 0 {
                    seen.value = (segments, .now())
                } else if .now() - seen.value.since > limit {
                    channel.cut()
                }
            }
        }
    }

    /// struct tcp_info of <linux/tcp.h>, of which the kernel fills in what it knows.
    private struct Information {
        /// tcpi_segs_in, since Linux 4.2.
        static let segmentsIn = 35
        var words = InlineArray<64, UInt32>(repeating: 0)
    }
}

extension SocketAddress {
    /// "10.0.0.3:39120", "[fe80::1]:39120".
    var text: String {
        guard let ipAddress, let port else { return "a local socket" }
        return ipAddress.contains(":") ? "[\(ipAddress)]:\(port)" : "\(ipAddress):\(port)"
    }
}

private enum Peer {
    /// struct sockaddr_vm of <linux/vm_sockets.h>.
    private struct Address: BitwiseCopyable {
        var family: UInt16 = 0
        var reserved: UInt16 = 0
        var port: UInt32 = 0
        var context: UInt32 = 0
        var flags: UInt32 = 0
    }

    /// SO_PEERNAME of <asm-generic/socket.h>: getpeername(2) as an option, which is all a channel lets us call.
    private static let peerName = NIOBSDSocket.Option(rawValue: 28)

    /// The context id of a vsock connection's other side.
    static func context(of channel: any Channel) -> EventLoopFuture<UInt32> {
        guard let options = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ProtocolFault.unexpected("a connection that is no socket"))
        }
        return options.unsafeGetSocketOption(level: .socket, name: peerName).flatMapThrowing { (address: Address) in
            guard address.family == 40 else {
                throw ProtocolFault.unexpected("a connection of family \(address.family)")
            }  // AF_VSOCK
            return address.context
        }
    }
}
