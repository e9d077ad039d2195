// lab-tools redirect: an XDP program that sends what one device receives out of another.

import ArgumentParser
import CLabTools
import Glibc
import LinuxSystem

struct Redirect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send each frame that FROM receives out of TO, with XDP.",
        discussion: """
            Loads a program that does nothing but bpf_redirect, attaches it to FROM and pins the link as /sys/fs/bpf/redirect-FROM, \
            so that it stays when the command ends; removing that file ends it. One call sets up one direction.

            In native mode FROM's driver must run XDP programs and TO's must transmit XDP frames. tap and virtio_net do the latter \
            once they have an XDP program themselves: two calls, one for each direction, see to that. Frames lose there what the \
            kernel noted beside them, so whoever sends must not leave checksums or segmentation to the device (ethtool -K DEVICE tx \
            off tso off).
            """)

    enum Mode: String, ExpressibleByArgument, CaseIterable { case generic, native }

    @Option(help: "Where the program runs: generic (on skbs, any device) or native (in the driver).")
    var mode: Mode

    @Argument(help: "The device that receives.")
    var from: String

    @Argument(help: "The device that transmits.")
    var to: String

    private static let folder = "/sys/fs/bpf"

    func run() throws {
        let source = try index(of: from)
        let target = try index(of: to)
        let pin = "\(Self.folder)/redirect-\(from)"
        try checkPin(pin)

        let program = try load(target)
        // Closing what is not pinned undoes it.
        defer { close(program) }
        let link = lab_attach_xdp(program, source, mode == .native)
        guard link >= 0 else { throw Failure("\(from): \(mode) XDP", SystemError(call: "BPF_LINK_CREATE")) }
        defer { close(link) }
        guard lab_pin(link, pin) == 0 else { throw Failure(pin, SystemError(call: "BPF_OBJ_PIN")) }
    }

    private func index(of device: String) throws -> UInt32 {
        let index = if_nametoindex(device)
        guard index > 0 else { throw Failure(device, SystemError(call: "if_nametoindex")) }
        return index
    }

    private func checkPin(_ path: String) throws {
        guard lab_is_bpffs(Self.folder) else {
            throw Failure(
                "\(Self.folder): bpffs must be mounted there, to keep the program (mount -t bpf bpf \(Self.folder))")
        }
        guard access(path, F_OK) != 0 else {
            throw Failure("\(path): is there already, so \(from) redirects; remove it first")
        }
    }

    private func load(_ target: UInt32) throws -> Int32 {
        var log = [CChar](repeating: 0, count: 1 << 16)
        let program = lab_load_redirect(target, &log, log.count)
        guard program < 0 else { return program }
        let error = SystemError(call: "BPF_PROG_LOAD")
        let said = String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        throw Failure("\(Failure("redirect to \(to)", error))" + (said.isEmpty ? "" : "\n\(said)"))
    }
}
