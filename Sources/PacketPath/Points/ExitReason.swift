// Why a vCPU was in the host: the exit's number, and the name the kernel has for it.

/// What kept a vCPU out of its guest: the reason of its last VM exit, or that another thread had its CPU.
package struct HostReason: Hashable, BitwiseCopyable, Sendable {
    /// 13 bits, so that there is room for many in a journey: the architecture in the upper two, the number in the
    /// others.
    package var code: Int32

    package static let unknown = HostReason(code: 0)
    /// Runnable, and not on a CPU.
    package static let preempted = HostReason(code: 1)
    /// More reasons than a journey has room for.
    package static let other = HostReason(code: 2)

    package init(code: Int32) { self.code = code }

    /// `isa` of kvm_exit (KVM_ISA_VMX and KVM_ISA_SVM, include/trace/events/kvm.h); arm64 has none.
    private enum Architecture: Int32 { case vmx = 1, svm, arm64 }

    private static let numberBits: Int32 = 11
    /// This and all above it: what SVM has for its own software lies there, and is not told apart.
    private static let large: UInt32 = 1 << 11 - 1

    private init(_ architecture: Architecture, _ number: UInt32) {
        code = architecture.rawValue << Self.numberBits | Int32(min(number, Self.large))
    }

    /// From kvm_exit's fields.
    /// - Parameters:
    ///   - number: exit_reason, or arm64's ret.
    ///   - isa: 0 where the event has none.
    ///   - exceptionClass: arm64's esr_ec, the class of a trap.
    package init(exit number: UInt32, isa: UInt32, exceptionClass: UInt32) {
        switch isa {
        // The bits above are flags: entry failed, in enclave mode and the like.
        case 1: self.init(.vmx, number & 0xffff)
        case 2: self.init(.svm, number)
        default: self.init(.arm64, number == Self.armTrap ? Self.armTrapBase | exceptionClass & 0xff : number & 0xff)
        }
    }

    /// ARM_EXCEPTION_TRAP, arch/arm64/include/asm/kvm_asm.h; ret 0 is an interrupt, 1 an SError.
    private static let armTrap: UInt32 = 2
    private static let armTrapBase: UInt32 = 0x100

    /// The guest had nothing to do. Not so on arm64: one exit, WFx, stands for WFI and for WFE, which waits for a lock.
    var isHalt: Bool {
        let number = UInt32(bitPattern: code) & Self.large
        switch Architecture(rawValue: code >> Self.numberBits) {
        case .vmx: return number == 12
        case .svm: return number == 0x78 || number == 0xa6
        default: return false
        }
    }

    /// The kernel's name without its prefix, as trace-cmd prints it; a number where it has none.
    package var name: String {
        switch self {
        case .unknown: return "unknown"
        case .preempted: return "preempted"
        case .other: return "other"
        default: break
        }
        let number = UInt32(bitPattern: code) & Self.large
        let names: [UInt32: String]
        switch Architecture(rawValue: code >> Self.numberBits) {
        case .vmx: names = Self.vmx
        case .svm: names = (0x40...0x5f).contains(number) ? [number: "EXCP\(number - 0x40)"] : Self.svm
        case .arm64:
            if number >= Self.armTrapBase {
                return Self.arm64[number - Self.armTrapBase] ?? "trap 0x\(String(number - Self.armTrapBase, radix: 16))"
            }
            names = [0: "IRQ", 1: "SERROR"]
        case nil: names = [:]
        }
        return names[number] ?? (number == Self.large ? "0x7ff or more" : "0x\(String(number, radix: 16))")
    }

    // EXIT_REASON_… of arch/x86/include/uapi/asm/vmx.h.
    private static let vmx: [UInt32: String] = [
        0: "EXCEPTION_NMI", 1: "EXTERNAL_INTERRUPT", 2: "TRIPLE_FAULT", 3: "INIT_SIGNAL", 4: "SIPI_SIGNAL",
        7: "INTERRUPT_WINDOW",
        8: "NMI_WINDOW", 9: "TASK_SWITCH", 10: "CPUID", 12: "HLT", 13: "INVD", 14: "INVLPG", 15: "RDPMC", 16: "RDTSC",
        18: "VMCALL",
        19: "VMCLEAR", 20: "VMLAUNCH", 21: "VMPTRLD", 22: "VMPTRST", 23: "VMREAD", 24: "VMRESUME", 25: "VMWRITE",
        26: "VMOFF",
        27: "VMON", 28: "CR_ACCESS", 29: "DR_ACCESS", 30: "IO_INSTRUCTION", 31: "MSR_READ", 32: "MSR_WRITE",
        33: "INVALID_STATE",
        34: "MSR_LOAD_FAIL", 36: "MWAIT_INSTRUCTION", 37: "MONITOR_TRAP_FLAG", 39: "MONITOR_INSTRUCTION",
        40: "PAUSE_INSTRUCTION",
        41: "MCE_DURING_VMENTRY", 43: "TPR_BELOW_THRESHOLD", 44: "APIC_ACCESS", 45: "EOI_INDUCED", 46: "GDTR_IDTR",
        47: "LDTR_TR",
        48: "EPT_VIOLATION", 49: "EPT_MISCONFIG", 50: "INVEPT", 51: "RDTSCP", 52: "PREEMPTION_TIMER", 53: "INVVPID",
        54: "WBINVD",
        55: "XSETBV", 56: "APIC_WRITE", 57: "RDRAND", 58: "INVPCID", 59: "VMFUNC", 60: "ENCLS", 61: "RDSEED",
        62: "PML_FULL",
        63: "XSAVES", 64: "XRSTORS", 67: "UMWAIT", 68: "TPAUSE", 74: "BUS_LOCK", 75: "NOTIFY",
    ]

    // SVM_EXIT_… of arch/x86/include/uapi/asm/svm.h; 0x40 to 0x5f are exceptions.
    private static let svm: [UInt32: String] = [
        0x00: "READ_CR0", 0x02: "READ_CR2", 0x03: "READ_CR3", 0x04: "READ_CR4", 0x08: "READ_CR8", 0x10: "WRITE_CR0",
        0x12: "WRITE_CR2", 0x13: "WRITE_CR3", 0x14: "WRITE_CR4", 0x18: "WRITE_CR8", 0x20: "READ_DR0", 0x21: "READ_DR1",
        0x22: "READ_DR2", 0x23: "READ_DR3", 0x24: "READ_DR4", 0x25: "READ_DR5", 0x26: "READ_DR6", 0x27: "READ_DR7",
        0x30: "WRITE_DR0",
        0x31: "WRITE_DR1", 0x32: "WRITE_DR2", 0x33: "WRITE_DR3", 0x34: "WRITE_DR4", 0x35: "WRITE_DR5",
        0x36: "WRITE_DR6",
        0x37: "WRITE_DR7", 0x60: "INTR", 0x61: "NMI", 0x62: "SMI", 0x63: "INIT", 0x64: "VINTR", 0x65: "CR0_SEL_WRITE",
        0x66: "IDTR_READ", 0x67: "GDTR_READ", 0x68: "LDTR_READ", 0x69: "TR_READ", 0x6a: "IDTR_WRITE",
        0x6b: "GDTR_WRITE",
        0x6c: "LDTR_WRITE", 0x6d: "TR_WRITE", 0x6e: "RDTSC", 0x6f: "RDPMC", 0x70: "PUSHF", 0x71: "POPF", 0x72: "CPUID",
        0x73: "RSM",
        0x74: "IRET", 0x75: "SWINT", 0x76: "INVD", 0x77: "PAUSE", 0x78: "HLT", 0x79: "INVLPG", 0x7a: "INVLPGA",
        0x7b: "IOIO",
        0x7c: "MSR", 0x7d: "TASK_SWITCH", 0x7e: "FERR_FREEZE", 0x7f: "SHUTDOWN", 0x80: "VMRUN", 0x81: "VMMCALL",
        0x82: "VMLOAD",
        0x83: "VMSAVE", 0x84: "STGI", 0x85: "CLGI", 0x86: "SKINIT", 0x87: "RDTSCP", 0x88: "ICEBP", 0x89: "WBINVD",
        0x8a: "MONITOR",
        0x8b: "MWAIT", 0x8c: "MWAIT_COND", 0x8d: "XSETBV", 0x8e: "RDPRU", 0x8f: "EFER_WRITE_TRAP",
        0x90: "CR0_WRITE_TRAP",
        0x91: "CR1_WRITE_TRAP", 0x92: "CR2_WRITE_TRAP", 0x93: "CR3_WRITE_TRAP", 0x94: "CR4_WRITE_TRAP",
        0x95: "CR5_WRITE_TRAP",
        0x96: "CR6_WRITE_TRAP", 0x97: "CR7_WRITE_TRAP", 0x98: "CR8_WRITE_TRAP", 0x99: "CR9_WRITE_TRAP",
        0x9a: "CR10_WRITE_TRAP",
        0x9b: "CR11_WRITE_TRAP", 0x9c: "CR12_WRITE_TRAP", 0x9d: "CR13_WRITE_TRAP", 0x9e: "CR14_WRITE_TRAP",
        0x9f: "CR15_WRITE_TRAP",
        0xa2: "INVPCID", 0xa5: "BUS_LOCK", 0xa6: "IDLE_HLT", 0x400: "NPF", 0x401: "AVIC_INCOMPLETE_IPI",
        0x402: "AVIC_UNACCELERATED_ACCESS", 0x403: "VMGEXIT",
    ]

    // ESR_ELx_EC_… in kvm_arm_exception_class of arch/arm64/include/asm/kvm_arm.h.
    private static let arm64: [UInt32: String] = [
        0x00: "UNKNOWN", 0x01: "WFx", 0x03: "CP15_32", 0x04: "CP15_64", 0x05: "CP14_MR", 0x06: "CP14_LS",
        0x07: "FP_ASIMD",
        0x08: "CP10_ID", 0x09: "PAC", 0x0c: "CP14_64", 0x15: "SVC64", 0x16: "HVC64", 0x17: "SMC64", 0x18: "SYS64",
        0x19: "SVE",
        0x1f: "IMP_DEF", 0x20: "IABT_LOW", 0x21: "IABT_CUR", 0x22: "PC_ALIGN", 0x24: "DABT_LOW", 0x25: "DABT_CUR",
        0x26: "SP_ALIGN",
        0x28: "FP_EXC32", 0x2c: "FP_EXC64", 0x2f: "SERROR", 0x30: "BREAKPT_LOW", 0x31: "BREAKPT_CUR",
        0x32: "SOFTSTP_LOW",
        0x33: "SOFTSTP_CUR", 0x34: "WATCHPT_LOW", 0x35: "WATCHPT_CUR", 0x38: "BKPT32", 0x3a: "VECTOR32", 0x3c: "BRK64",
    ]
}
