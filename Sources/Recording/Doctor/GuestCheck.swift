// What an agent needs of the guest it runs in, besides tracing: a way to the host, and the host's time.

internal import CLinux
import Glibc
package import LinuxSystem

/// What the guest's devices answer.
package struct GuestLinks: Sendable, Equatable {
    package enum PTP: Sendable { case absent, refused, works }

    /// Why AF_VSOCK sockets can't be made; nil when they can.
    package var socketError: SystemError?
    /// Why /dev/vsock does not tell this machine's context id.
    package var contextError: SystemError?
    package var context: UInt32?
    package var ptp = PTP.absent

    package init() {}

    static func gather() -> GuestLinks {
        var links = GuestLinks()
        // AF_VSOCK is 40, see vsock(7).
        let descriptor = socket(40, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if descriptor >= 0 { close(descriptor) } else { links.socketError = SystemError(call: "socket") }
        var context: UInt32 = 0
        if unsafe clinux_vsock_context(&context) == 0 {
            links.context = context
        } else {
            links.contextError = SystemError(call: "/dev/vsock")
        }
        if let clock = KVMPTPClock() { links.ptp = clock.read(.posix(CLOCK_MONOTONIC_RAW)) == nil ? .refused : .works }
        return links
    }
}

struct GuestCheck {
    var links: GuestLinks
    var machine: String

    private static let instead = "the host can reach the agent over TCP only"
    private static let load =
        "modprobe vmw_vsock_virtio_transport; the VM needs a vsock device (QEMU: -device vhost-vsock-pci,guest-cid=3)"

    var findings: [Finding] { [vsock, ptp] }

    private var vsock: Finding {
        if let error = links.socketError {
            return Finding(
                "vsock", .warning, machine, "vsock sockets can't be made: \(error.text)", meaning: Self.instead,
                remedy: Self.load)
        }
        guard let context = links.context else {
            let reason = links.contextError.map { ": \($0.text)" } ?? ""
            return Finding(
                "vsock", .warning, machine, "/dev/vsock can't be asked\(reason)", meaning: Self.instead,
                remedy: Self.load)
        }
        switch context {
        // VMADDR_CID_ANY, VMADDR_CID_LOCAL and VMADDR_CID_HOST of vsock(7).
        case .max, 1:
            return Finding(
                "vsock", .warning, machine, "vsock is there, but no transport to the host", meaning: Self.instead,
                remedy: Self.load)
        case 2:
            return Finding(
                "vsock", .note, machine, "this machine is a vsock host (context id 2)",
                meaning: "--guest is meant for the guests",
                remedy: "virtlat doctor")
        default:
            return Finding(
                "vsock", .ok, machine, "vsock context id \(context): the host reaches the agent as vsock:\(context)")
        }
    }

    private var ptp: Finding {
        let meaning =
            "no cross-timestamps: where KVM's TSC offset can't be read, the clock rests on message exchanges alone"
        return switch links.ptp {
        case .works: Finding("clock.ptp", .ok, machine, "KVM virtual PTP answers: cross-timestamps with the host")
        case .absent:
            Finding(
                "clock.ptp", .warning, machine, "no clock \"KVM virtual PTP\"", meaning: meaning,
                remedy: "modprobe ptp_kvm, as root")
        case .refused:
            Finding(
                "clock.ptp", .warning, machine, "KVM virtual PTP gives no cross-timestamps", meaning: meaning,
                remedy: "on the host: echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource")
        }
    }
}
