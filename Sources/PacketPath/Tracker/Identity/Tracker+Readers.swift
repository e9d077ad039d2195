// What can be known of a packet that the stack has: whether its reader makes an event, and whether it may have been
// read with others.

extension Tracker {
    func isLive(_ id: FlightID) -> Bool { flights.contains(id) && flights[id].direction == .receive }

    /// Whether the stack has the packet, and has not put it on a socket as far as is known.
    func mayBePutOnSocket(_ id: FlightID) -> Bool {
        isLive(id) && flights[id].socket == 0 && flights[id].flags.isDisjoint(with: [.tcp, .ended, .fragment])
    }

    /// Sockets tell what they are given and what is taken from them.
    func seesSockets(_ machine: MachineID) -> Bool {
        count(of: .socketReady, on: machine) > 0 && count(of: .socketRead, on: machine) > 0
    }

    /// No datagram is read without its socket's telling.
    func knowsReaders(_ machine: MachineID) -> Bool { kernels[machine].readsSilently == true }

    /// Whether a packet that the stack has may have been read without an event that says so: the kernel's readers are
    /// silent, and its sockets' events are not recorded.
    mutating func isReadSilently(_ id: FlightID) -> Bool {
        let machine = flights[id].machine
        let isSilent =
            kernels[machine].readsSilently == true && flights[id].direction == .receive && flights[id].delivered != 0
            && flights[id].socket == 0
            && flights[id].flags.isDisjoint(with: [.tcp, .split]) && !seesSockets(machine)
        if isSilent { machines[machine].missesSockets = true }
        return isSilent
    }

    /// A packet that the stack has, as long as one of TCP's without data, and on no socket where those tell.
    func isForTCPItself(_ id: FlightID) -> Bool {
        let machine = flights[id].machine
        return flights[id].direction == .receive && flights[id].delivered != 0 && flights[id].socket == 0
            && knowsReaders(machine)
            && flights[id].flags.isDisjoint(with: [.half, .perhapsRead, .fragment]) && isBareTCP(flights[id].length)
    }

    /// Ethernet, IPv4 and TCP.
    private static let leastTCP: Int32 = 14 + 20 + 20

    /// Ethernet, IPv4 or IPv6, and TCP with time stamps or without.
    static let headers = [14 + 20 + 32, 14 + 20 + 20, 14 + 40 + 32, 14 + 40 + 20]

    /// As long as one of TCP's without data: an acknowledgement, or a connection's first, which has 20 bytes of
    /// options.
    func isBareTCP(_ length: Int32) -> Bool {
        Self.headers.contains(Int(length)) || length == 14 + 20 + 40 || length == 14 + 40 + 40
    }

    /// A packet that the stack had was freed without an event. One that has data was merged into another, others were
    /// for the kernel itself.
    func mayBeMerged(_ id: FlightID) -> Bool {
        let length = Int(flights[id].length)
        return length > Self.headers[1] && !Self.headers.contains(length)
            && machines[flights[id].machine].unread.contains(id)
    }

    /// More is copied from a packet than its datagram could hold, so it is TCP's, and it has no data of its own: a bare
    /// acknowledgement that waited for the reader to be done with the socket, into which what came after it was merged
    /// (tcp_add_backlog, net/ipv4/tcp_ipv4.c).
    func isBareHead(_ id: FlightID, copied bytes: Int32) -> Bool {
        Int(bytes) > Int(flights[id].length) - 42 && Self.headers.contains(Int(flights[id].length))
    }

    /// Whether a copy can be a packet's that no socket and no tcp_probe told of. TCP frees what it needs for itself (a
    /// connection's first packets and last ones) without an event, and the address may be a Unix socket's by now.
    func mayBeRead(_ id: FlightID, _ bytes: Int32, _ machine: MachineID) -> Bool {
        guard flights[id].socket == 0, !flights[id].flags.contains(.tcp), knowsReaders(machine),
            count(of: .tcpReceive, on: machine) > 0
        else { return true }
        return bytes > 0 && bytes <= flights[id].length - Self.leastTCP && !isBareTCP(flights[id].length)
    }

    /// A packet that waits on the queue of a socket whose reader gets the packet itself.
    func isOnDatagramQueue(_ id: FlightID, _ machine: MachineID) -> Bool {
        flights[id].socket != 0 && machines[machine].sockets[flights[id].socket]?.isOfCopies == false
    }

    /// Whether a packet is a fragment of a datagram that waits for its reader.
    func isPart(_ id: FlightID, _ machine: MachineID) -> Bool {
        machines[machine].reassembled.contains { $0.others.contains(id) }
    }

    /// All fragments but the last hold a multiple of 8 bytes, behind an IPv4 header, or an IPv6 header and a
    /// fragment's.
    func isFragment(_ length: Int32) -> Bool {
        (length - Self.leastHeaders) % 8 == 0 || (length - 14 - 40 - 8) % 8 == 0
    }

    /// Ethernet and IPv4: the least that stands before a datagram's UDP header.
    static let leastHeaders: Int32 = 14 + 20
}
