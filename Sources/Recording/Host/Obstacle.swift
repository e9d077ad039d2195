// Why no connection to an agent was made, and what to do: connect(2)'s errors mean something else on vsock than on TCP.

import Glibc
import LinuxSystem
import NIOPosix

struct Obstacle {
    var reason: String
    var remedy: String

    init(_ error: any Error, at address: AgentAddress) {
        let reason = FaultText.of(error)
        if let error = error as? NIOConnectionError, error.connectionErrors.isEmpty {
            self.init(reason: reason, remedy: "Check the name, or give the guest's address")
            return
        }
        let code = FaultText.code(of: error)
        switch address {
        case .vsock(_, let port): self = .onVsock(code, reason, port: port)
        case .tcp(_, let port): self = .onTCP(code, reason, port: port)
        }
    }

    private init(reason: String, remedy: String) {
        self.reason = reason
        self.remedy = remedy
    }

    /// net/vmw_vsock/virtio_transport_common.c and drivers/vhost/vsock.c.
    private static func onVsock(_ code: Int32?, _ reason: String, port: UInt32) -> Obstacle {
        let device = "On the host: modprobe vhost_vsock, and a vhost-vsock-pci device with this guest-cid"
        switch code {
        case ECONNRESET:
            let own = port == UInt32(AgentAddress.port) ? "" : " \(port)"
            return Obstacle(
                reason: "nothing listens on vsock port \(port) in the guest (\(reason))",
                remedy: "In the guest: virtlat agent\(own) (is it running there, and on this port?)")
        case ENODEV:
            return Obstacle(
                reason: "no virtual machine that runs has this context id, or vhost_vsock is not loaded (\(reason))",
                remedy: device)
        default:
            return Obstacle(
                reason: reason,
                remedy: "In the guest: virtlat agent (and modprobe vmw_vsock_virtio_transport). " + device)
        }
    }

    private static func onTCP(_ code: Int32?, _ reason: String, port: Int) -> Obstacle {
        switch code {
        case ECONNREFUSED:
            Obstacle(
                reason: "nothing listens on TCP port \(port) there (\(reason))",
                remedy:
                    "In the guest: virtlat agent --tcp ADDRESS --key-file FILE (is it running there, and on this port?)"
            )
        case EHOSTUNREACH, ENETUNREACH:
            Obstacle(
                reason: "no machine answers at this address (\(reason))",
                remedy:
                    "Check the address, with ip address in the guest, and the way there, with ip route get on the host")
        default:
            Obstacle(
                reason: reason,
                remedy:
                    "Check the address, and that no firewall keeps this port shut. In the guest: virtlat agent --tcp ADDRESS --key-file FILE"
            )
        }
    }
}
