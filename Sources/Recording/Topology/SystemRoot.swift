// Where the kernel shows itself: /proc, /sys and debugfs. Tests put a folder of their own in their place.

import LinuxSystem

/// The trees that topology is read from. What is absent or unreadable is nil or empty: processes end while they are
/// looked at.
package struct SystemRoot: Sendable, Equatable {
    package var proc: String
    package var sys: String
    package var debug: String

    package init(proc: String = "/proc", sys: String = "/sys", debug: String = "/sys/kernel/debug") {
        self.proc = proc
        self.sys = sys
        self.debug = debug
    }

    /// One folder for each VM, named by process and descriptor: virt/kvm/kvm_main.c, kvm_create_vm_debugfs.
    var kvm: String { debug + "/kvm" }
}

// MARK: Reading what may not be there

extension Folder {
    /// Names in a folder, sorted; none when it can't be read.
    static func optionalNames(in folder: String) -> [String] { (try? names(in: folder)) ?? [] }

    /// Names in a folder that are numbers, in their order: processes, threads, descriptors, interrupts.
    static func numbers<Number: FixedWidthInteger>(in folder: String, as type: Number.Type = Number.self) -> [Number] {
        optionalNames(in: folder).compactMap { Number($0) }.sorted()
    }
}

extension TextFile {
    /// A file that is one number, and may be absent.
    static func number<Number: FixedWidthInteger>(in file: String, as type: Number.Type = Number.self) -> Number? {
        optional(file).flatMap { Number($0) }
    }
}

extension String {
    /// What stands between `prefix` and `suffix`, when it is a number: 3 of "CPU 3/KVM".
    func number<Number: FixedWidthInteger>(
        after prefix: String, before suffix: String = "", as type: Number.Type = Number.self
    ) -> Number? {
        guard hasPrefix(prefix), hasSuffix(suffix), utf8.count > prefix.utf8.count + suffix.utf8.count else {
            return nil
        }
        let digits = dropFirst(prefix.count).dropLast(suffix.count)
        return digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Number(digits) : nil
    }
}
