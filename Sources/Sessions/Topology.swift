// The host and its virtual machines as the system shows them: which threads and devices belong to whom, and where they
// may run.

/// A KVM host at one moment.
package struct Topology: Codable, Sendable, Equatable {
    package var host: HostSystem
    /// By process id.
    package var vms: [VirtualMachine]

    package init(host: HostSystem, vms: [VirtualMachine]) {
        self.host = host
        self.vms = vms
    }
}

package struct HostSystem: Codable, Sendable, Equatable {
    package var name: String
    package var release: String
    /// Online CPUs.
    package var cpus: Int
    /// /sys/module/kvm/parameters/halt_poll_ns; absent without KVM.
    package var haltPoll: Int?
    /// Whether KVM may deliver interrupts into a running guest without an exit (kvm_intel's enable_apicv, kvm_amd's
    /// avic); absent when unknown.
    package var postedInterrupts: Bool?
    /// Network devices with hardware behind them.
    package var nics: [NetworkDevice]
    /// CPUs by the core they are threads of, as the kernel lists them; absent when the kernel does not tell.
    package var cores: [String]?
    /// CPUs by the last cache that they share; absent when the kernel does not tell.
    package var lastLevelCaches: [String]?

    package init(
        name: String, release: String, cpus: Int, haltPoll: Int?, postedInterrupts: Bool?, nics: [NetworkDevice]
    ) {
        self.name = name
        self.release = release
        self.cpus = cpus
        self.haltPoll = haltPoll
        self.postedInterrupts = postedInterrupts
        self.nics = nics
    }

    enum CodingKeys: String, CodingKey {
        case name, release, cpus
        case haltPoll = "halt_poll_ns"
        case postedInterrupts = "posted_interrupts"
        case nics, cores
        case lastLevelCaches = "last_level_caches"
    }
}

/// A NIC of the host.
package struct NetworkDevice: Codable, Sendable, Equatable {
    package var name: String
    package var driver: String?
    package var receiveQueues: Int
    package var transmitQueues: Int
    package var interrupts: [Interrupt]

    package init(name: String, driver: String?, receiveQueues: Int, transmitQueues: Int, interrupts: [Interrupt]) {
        self.name = name
        self.driver = driver
        self.receiveQueues = receiveQueues
        self.transmitQueues = transmitQueues
        self.interrupts = interrupts
    }

    enum CodingKeys: String, CodingKey {
        case name, driver
        case receiveQueues = "rx_queues"
        case transmitQueues = "tx_queues"
        case interrupts
    }
}

package struct Interrupt: Codable, Sendable, Equatable {
    package var number: Int
    /// As /proc/interrupts names it; empty when nothing has asked for it.
    package var name: String
    /// CPUs it may go to, as the kernel lists them ("0-3,8").
    package var cpus: String

    package init(number: Int, name: String, cpus: String) {
        self.number = number
        self.name = name
        self.cpus = cpus
    }
}

/// One QEMU (or other user of KVM) and what belongs to it.
package struct VirtualMachine: Codable, Sendable, Equatable {
    /// From `-name guest=…`; absent when it has none.
    package var name: String?
    /// Process id, which is the main thread's too.
    package var process: Int32
    /// Context id of its vsock device.
    package var cid: UInt32?
    package var vcpus: [VCPU]
    package var vhostWorkers: [VhostWorker]
    package var devices: [GuestDevice]
    /// Queues of network devices that vhost serves; 0 where QEMU itself does, absent when unknown.
    package var vhostQueues: Int?

    package init(
        name: String?, process: Int32, cid: UInt32?, vcpus: [VCPU], vhostWorkers: [VhostWorker], devices: [GuestDevice]
    ) {
        self.name = name
        self.process = process
        self.cid = cid
        self.vcpus = vcpus
        self.vhostWorkers = vhostWorkers
        self.devices = devices
    }

    enum CodingKeys: String, CodingKey {
        case name
        case process = "pid"
        case cid, vcpus
        case vhostWorkers = "vhost_workers"
        case devices
        case vhostQueues = "vhost_queues"
    }
}

package struct VCPU: Codable, Sendable, Equatable {
    package var id: Int
    package var thread: Int32
    /// CPUs it may run on, as the kernel lists them.
    package var cpus: String
    /// The CPU it ran on last.
    package var lastCPU: Int?

    package init(id: Int, thread: Int32, cpus: String, lastCPU: Int? = nil) {
        self.id = id
        self.thread = thread
        self.cpus = cpus
        self.lastCPU = lastCPU
    }

    enum CodingKeys: String, CodingKey {
        case id, thread, cpus
        case lastCPU = "last_cpu"
    }
}

package struct VhostWorker: Codable, Sendable, Equatable {
    package enum Kind: String, Codable, Sendable {
        /// A kernel thread: before Linux 6.4, and since then where the old way was brought back.
        case kernel
        /// A thread of the process that opened vhost.
        case process
    }

    package var thread: Int32
    package var kind: Kind
    package var cpus: String
    /// The CPU it ran on last.
    package var lastCPU: Int?

    package init(thread: Int32, kind: Kind, cpus: String, lastCPU: Int? = nil) {
        self.thread = thread
        self.kind = kind
        self.cpus = cpus
        self.lastCPU = lastCPU
    }

    enum CodingKeys: String, CodingKey {
        case thread, kind, cpus
        case lastCPU = "last_cpu"
    }
}

/// What a guest's network device is on the host.
package struct GuestDevice: Codable, Sendable, Equatable {
    package enum Kind: String, Codable, Sendable { case tap, macvtap, vfio }

    package var kind: Kind
    /// Interface name; PCI address for vfio.
    package var name: String
    /// Hardware address inside the guest, where the command line says.
    package var address: String?
    /// Queues that are open; 0 for vfio.
    package var queues: Int
    /// The bridge or Open vSwitch datapath it is a port of.
    package var bridge: String?
    /// NICs of the host that its packets can leave by: the bridge's other ports, or macvtap's lower device.
    package var nics: [String]

    package init(kind: Kind, name: String, address: String?, queues: Int, bridge: String?, nics: [String]) {
        self.kind = kind
        self.name = name
        self.address = address
        self.queues = queues
        self.bridge = bridge
        self.nics = nics
    }

    enum CodingKeys: String, CodingKey {
        case kind, name
        case address = "mac"
        case queues, bridge, nics
    }
}
