// Datagrams in other carriers than IPv4 on the device itself.

import Glibc

extension Kind {
    private static func carried(_ name: String, _ summary: String, _ carrier: Carrier) -> Kind {
        Kind(name, summary) { bench in
            let (sender, socket) = try bench.pair(carrier)
            try bench.exchange(Pattern(burst: 2, carrier: carrier), send: plain(sender), readers: plainReader(socket))
        }
    }

    static let carriers: [Kind] = [
        carried("ipv6", "UDP over IPv6", .ipv6),
        carried("vlan", "UDP in a VLAN", .vlan),
        carried("vxlan", "UDP in vxlan, decapsulated before the reader", .vxlan),
        carried("gre", "UDP in GRE, decapsulated before the reader", .gre),
        carried("macvlan", "UDP of a macvlan on the device", .macvlan),
    ]
}
