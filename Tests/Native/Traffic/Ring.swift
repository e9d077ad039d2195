// An io_uring that is closed with its last reference; one operation at a time.

import CNativeTraffic
import Glibc
import LinuxSystem

final class Ring: @unchecked Sendable {
    private let ring: OpaquePointer
    /// A receive that has been submitted and not completed.
    private var isReceiving = false

    /// - Parameter polled: a thread of the kernel takes what is submitted, see IORING_SETUP_SQPOLL.
    init(polled: Bool) throws {
        guard let ring = nt_ring_open(polled) else {
            throw Refusal("io_uring_setup: \(SystemError(call: "io_uring_setup").text)")
        }
        self.ring = ring
    }

    deinit { nt_ring_close(ring) }

    /// - Returns: as recv(2); a receive that waits for too long stays submitted, and is waited for the next time.
    func receive(_ socket: Int32, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        if !isReceiving {
            guard nt_ring_submit(ring, NT_RECEIVE, socket, bytes.baseAddress, bytes.count, 0) == 0 else { return -1 }
            isReceiving = true
        }
        guard let result = wait() else { return -1 }
        isReceiving = false
        return Int(result)
    }

    func send(_ operation: nt_operation, _ socket: Int32, _ bytes: UnsafeMutableRawBufferPointer) throws {
        try check(nt_ring_submit(ring, operation, socket, bytes.baseAddress, bytes.count, 0), "io_uring_enter")
        guard let result = wait() else { throw SystemError(call: "io_uring send") }
        guard result >= 0 else { throw SystemError(call: "io_uring send", errno: -result) }
    }

    private func wait() -> Int32? {
        var result: Int32 = 0
        var tag: UInt64 = 0
        return nt_ring_wait(ring, &result, &tag) == 0 ? result : nil
    }
}
