// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target is compiled with.
let common: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// What ships also says where it touches memory by address.
let strict = common + [.strictMemorySafety()]

let package = Package(
    name: "virtlat",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    ],
    targets: [
        // Floor 0: what Debian ships in C.
        .systemLibrary(name: "CTraceEvent", pkgConfig: "libtraceevent"),
        .systemLibrary(name: "CTraceFS", pkgConfig: "libtracefs"),
        .systemLibrary(name: "CCompression"),
        .target(name: "CLinux"),

        // Floor 1: pure or close to the system.
        .target(name: "LinuxSystem", dependencies: ["CLinux"], swiftSettings: strict),
        .target(name: "ClockSync", swiftSettings: strict),
        .target(name: "KernelEvents", swiftSettings: strict),
        .target(
            name: "Statistics",
            dependencies: [.product(name: "Histogram", package: "hdrhistogram-swift")],
            swiftSettings: strict),
        .target(name: "Notation", swiftSettings: strict),

        // Floor 2: trace files and the folders they lie in.
        .target(
            name: "TraceData",
            dependencies: ["CTraceEvent", "CCompression", "CLinux", "LinuxSystem", "ClockSync", "KernelEvents"],
            swiftSettings: strict),
        .target(name: "Sessions", dependencies: ["LinuxSystem", "Statistics"], swiftSettings: strict),

        // Floor 3: machines and their clocks, recordings, and who is bound where.
        .target(
            name: "GuestClocks",
            dependencies: ["TraceData", "Sessions", "ClockSync", "KernelEvents", "LinuxSystem"],
            swiftSettings: strict),

        .target(
            name: "Recording",
            dependencies: [
                "CTraceFS", "CLinux", "LinuxSystem", "Notation", "TraceData", "Sessions", "ClockSync", "KernelEvents",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict),

        .target(name: "Affinity", dependencies: ["LinuxSystem", "Sessions"], swiftSettings: strict),

        // Floor 4: packets.
        .target(
            name: "PacketPath",
            dependencies: ["GuestClocks", "TraceData", "ClockSync", "KernelEvents", "LinuxSystem"],
            swiftSettings: strict),

        // Floor 5: journeys in, sums and judgements out.
        .target(
            name: "Findings",
            dependencies: [
                "PacketPath", "GuestClocks", "Statistics", "Sessions", "ClockSync", "TraceData", "KernelEvents",
            ],
            swiftSettings: strict),

        // Floor 6: values in, bytes out.
        .target(
            name: "Report",
            dependencies: [
                "Findings", "PacketPath", "GuestClocks", "Statistics", "Sessions", "ClockSync", "TraceData", "Notation",
            ],
            swiftSettings: strict),
        .target(
            name: "Export",
            dependencies: ["Findings", "GuestClocks", "PacketPath", "TraceData", "LinuxSystem", "Notation"],
            swiftSettings: strict),

        // Floor 7: the command.
        .executableTarget(
            name: "virtlat",
            dependencies: [
                "LinuxSystem", "ClockSync", "TraceData", "Sessions", "GuestClocks", "PacketPath", "Recording",
                "Affinity",
                "Findings", "Report", "Export",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        // Tests. TestSupport builds trace files in code and finds the recordings in traces/.
        .target(name: "TestSupport", dependencies: ["TraceData"], path: "Tests/TestSupport", swiftSettings: common),
        .target(name: "RecordingTurns", path: "Tests/RecordingTurns", swiftSettings: common),
        .testTarget(
            name: "TraceDataTests",
            dependencies: ["TraceData", "ClockSync", "LinuxSystem", "Statistics", "TestSupport"],
            swiftSettings: common),
        .testTarget(name: "ClockSyncTests", dependencies: ["ClockSync", "Statistics"], swiftSettings: common),
        .testTarget(name: "KernelEventsTests", dependencies: ["KernelEvents"], swiftSettings: common),
        .testTarget(name: "SessionsTests", dependencies: ["Sessions"], swiftSettings: common),
        .testTarget(name: "StatisticsTests", dependencies: ["Statistics"], swiftSettings: common),
        .target(
            name: "MadeFindings", dependencies: ["Findings", "PacketPath", "Statistics"], path: "Tests/MadeFindings",
            swiftSettings: common),
        .testTarget(
            name: "FindingsTests",
            dependencies: [
                "Findings", "PacketPath", "GuestClocks", "TraceData", "ClockSync", "Statistics", "MadeFindings",
                "TestSupport",
            ],
            swiftSettings: common),
        .testTarget(
            name: "ReportTests",
            dependencies: ["Report", "Findings", "PacketPath", "Statistics", "Notation", "MadeFindings"],
            swiftSettings: common),
        .testTarget(
            name: "ExportTests", dependencies: ["Export", "Findings", "PacketPath", "TestSupport"],
            swiftSettings: common),
        .testTarget(
            name: "GuestClocksTests",
            dependencies: ["GuestClocks", "TraceData", "Sessions", "ClockSync", "TestSupport"],
            swiftSettings: common),
        .testTarget(
            name: "PacketPathTests",
            dependencies: [
                "PacketPath", "GuestClocks", "TraceData", "Sessions", "ClockSync", "Findings", "Statistics",
                "TestSupport",
            ], swiftSettings: common),
        .testTarget(
            name: "RecordingTests",
            dependencies: [
                "Recording", "PacketPath", "GuestClocks", "TraceData", "Sessions", "ClockSync", "KernelEvents",
                "LinuxSystem",
                "Statistics", "RecordingTurns", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ], swiftSettings: common),
        .testTarget(
            name: "AffinityTests", dependencies: ["Affinity", "LinuxSystem", "Sessions"], swiftSettings: common),
        .executableTarget(name: "fake-vm", path: "Tests/FakeVM"),
        .testTarget(
            name: "CommandTests", dependencies: ["Export", "Sessions", "Statistics", "RecordingTurns", "TestSupport"],
            swiftSettings: common),

        // What is fuzzed. `make test` replays the corpus; the fuzzer itself is below.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Recording", "Affinity", "Findings", "Report", "Export", "PacketPath", "GuestClocks", "TraceData",
                "Sessions",
                "ClockSync", "LinuxSystem",
                "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
            ], path: "Tests/Fuzz/Targets", swiftSettings: common),
        .testTarget(
            name: "FuzzTests", dependencies: ["FuzzTargets", "LinuxSystem", "TestSupport"], path: "Tests/FuzzTests",
            swiftSettings: common),

        // What `make bench` runs beside virtlat.
        .executableTarget(
            name: "bench-trace", dependencies: ["TraceData", "ClockSync", "LinuxSystem"], path: "Tests/Bench/Trace",
            swiftSettings: common),

        // What runs at the ends of the path in the lab; static, because one of its places has no libraries.
        .target(name: "CLabTools", path: "Tests/Lab/CLabTools"),
        .executableTarget(
            name: "lab-tools",
            dependencies: [
                "CLabTools", "LinuxSystem", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Lab/Tools", swiftSettings: common),

        // Sends and reads in every way an application may, for the tests of path `host`.
        .target(name: "CNativeTraffic", path: "Tests/Native/CNativeTraffic"),
        .executableTarget(
            name: "native-traffic",
            dependencies: [
                "CNativeTraffic", "LinuxSystem", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Native/Traffic", swiftSettings: common),
    ]
)

// The fuzzer links only with -sanitize=fuzzer, which the build of `make fuzz` has and no other.
if Context.environment["VIRTLAT_FUZZ"] != nil {
    package.targets += [
        .target(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
        .executableTarget(
            name: "fuzz", dependencies: ["CFuzzer", "FuzzTargets"], path: "Tests/Fuzz/Run", swiftSettings: common),
    ]
}
