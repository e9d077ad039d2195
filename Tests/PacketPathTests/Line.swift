// What one guest device hangs on, and the lines that tests need a second one of.

/// Everything one guest device hangs on: NIC, tap, worker, vCPU, reader.
struct Line {
    // Names of devices, as small numbers.
    var nic: UInt16 = 1
    var tap: UInt16 = 2
    var device: UInt16 = 3
    /// Which of the device's queue pairs.
    var pair = 0
    var nicIRQ: Int32 = 32
    var nicNapi: UInt64 = 0xa000
    /// Interrupts and NAPI instances of the guest's virtio-net device, one of each for received packets and sent
    /// buffers.
    var inputIRQ: Int32 = 25
    var inputName = "virtio0-input.0"
    var inputNapi: UInt64 = 0xb000
    var outputIRQ: Int32 = 26
    var outputNapi: UInt64 = 0xc000
    var worker: Int32 = 179
    var vcpu: Int32 = 181
    /// `vcpu_id` of kvm_entry.
    var vcpuNumber: UInt64 = 0
    /// The guest's thread that reads and sends.
    var reader: Int32 = 98
    var nicLane = 0
    var workerLane = 1
    var vcpuLane = 0
    var guestLane = 2
    /// Vector of the receive interrupt, as KVM knows it.
    var vector: UInt8 = 39
}

extension Line {
    /// A second guest on the same host; its device and its reader are named like the first one's.
    static let secondGuest = {
        var line = Line()
        line.tap = 12
        line.worker = 279
        line.vcpu = 281
        line.guestLane = 3
        return line
    }()

    /// A second device of the same guest.
    static let secondDevice = {
        var line = Line()
        line.tap = 12
        line.device = 13
        line.worker = 190
        line.inputIRQ = 27
        line.inputNapi = 0xb100
        line.outputIRQ = 28
        line.outputNapi = 0xc100
        line.vector = 41
        return line
    }()

    /// The second queue pair of the same device, which has a worker and interrupts of its own.
    static let secondPair = {
        var line = Line.secondDevice
        line.tap = Line().tap
        line.device = Line().device
        line.pair = 1
        return line
    }()

    /// A second NIC on the bridge of the same tap.
    static let secondNIC = {
        var line = Line()
        line.nic = 11
        line.nicIRQ = 40
        line.nicNapi = 0xa100
        return line
    }()
}
