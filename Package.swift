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
        .target(
            name: "Statistics",
            dependencies: [.product(name: "Histogram", package: "hdrhistogram-swift")],
            swiftSettings: strict),

        // Floor 2: trace files and the folders they lie in.
        .target(
            name: "TraceData",
            dependencies: ["CTraceEvent", "CCompression", "CLinux", "LinuxSystem", "ClockSync"],
            swiftSettings: strict),
        .target(name: "Sessions", dependencies: ["LinuxSystem"], swiftSettings: strict),

        // Floor 3: packets.
        .target(
            name: "PacketPath",
            dependencies: ["TraceData", "Sessions", "ClockSync", "LinuxSystem"],
            swiftSettings: strict),

        .target(
            name: "Recording",
            dependencies: [
                "CTraceFS", "CLinux", "LinuxSystem", "TraceData", "Sessions", "ClockSync",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict),

        .target(name: "Affinity", dependencies: ["LinuxSystem", "Sessions"], swiftSettings: strict),

        // Floor 4: values in, bytes out.
        .target(
            name: "Report",
            dependencies: ["PacketPath", "Statistics", "Sessions", "ClockSync", "TraceData"],
            swiftSettings: strict),

        // Floor 5: the command.
        .executableTarget(
            name: "virtlat",
            dependencies: [
                "LinuxSystem", "ClockSync", "TraceData", "Sessions", "PacketPath", "Recording", "Affinity", "Report",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        // Tests. TestSupport builds trace files in code and finds the recordings in traces/.
        .target(name: "TestSupport", dependencies: ["TraceData"], path: "Tests/TestSupport", swiftSettings: common),
        .testTarget(
            name: "TraceDataTests", dependencies: ["TraceData", "ClockSync", "LinuxSystem", "TestSupport"], swiftSettings: common),
        .testTarget(name: "ClockSyncTests", dependencies: ["ClockSync"], swiftSettings: common),
        .testTarget(name: "SessionsTests", dependencies: ["Sessions"], swiftSettings: common),
        .testTarget(name: "StatisticsTests", dependencies: ["Statistics"], swiftSettings: common),
        .testTarget(name: "ReportTests", dependencies: ["Report", "PacketPath", "Statistics"], swiftSettings: common),
        .testTarget(
            name: "PacketPathTests",
            dependencies: ["PacketPath", "TraceData", "Sessions", "ClockSync", "Report", "Statistics", "TestSupport"], swiftSettings: common
        ),
        .testTarget(
            name: "RecordingTests",
            dependencies: [
                "Recording", "PacketPath", "TraceData", "Sessions", "ClockSync", "LinuxSystem", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOEmbedded", package: "swift-nio"),
            ], swiftSettings: common),
        .testTarget(name: "AffinityTests", dependencies: ["Affinity", "LinuxSystem", "Sessions"], swiftSettings: common),
        .executableTarget(name: "fake-vm", path: "Tests/FakeVM"),
        .testTarget(name: "CommandTests", dependencies: ["Sessions", "TestSupport"], swiftSettings: common),

        // What `make bench` runs beside virtlat.
        .executableTarget(
            name: "bench-trace", dependencies: ["TraceData", "ClockSync", "LinuxSystem"], path: "Tests/Bench/Trace", swiftSettings: common),

        // What runs at the ends of the path in the lab; static, because one of its places has no libraries.
        .target(name: "CLabTools", path: "Tests/Lab/CLabTools"),
        .executableTarget(
            name: "lab-tools",
            dependencies: ["CLabTools", "LinuxSystem", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Tests/Lab/Tools", swiftSettings: common),

        // Sends and reads in every way an application may, for the tests of path `host`.
        .target(name: "CNativeTraffic", path: "Tests/Native/CNativeTraffic"),
        .executableTarget(
            name: "native-traffic",
            dependencies: ["CNativeTraffic", "LinuxSystem", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Tests/Native/Traffic", swiftSettings: common),
    ]
)
