#!/usr/bin/env bash
# Builds dist/ballast_VERSION_ARCH.deb and .rpm, and, for a release, tarballs and SHA256SUMS.
#   deploy/package.sh VERSION ARCH... [--release]        ARCH: amd64, arm64
# Environment: DIST, where they go (dist/); PACKAGERS, which of them ("deb rpm").
# The same commit and toolchain give the same bytes: no paths, no build time but the commit's.
set -euo pipefail
cd "$(dirname "$0")/.."

release=false
arches=()
version=${1:?usage: deploy/package.sh VERSION ARCH... [--release]}
shift
for word in "$@"; do
	case $word in
	--release) release=true ;;
	amd64 | arm64) arches+=("$word") ;;
	*) echo "deploy/package.sh: expected amd64, arm64 or --release, found $word" >&2 && exit 2 ;;
	esac
done
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+([~+.-][0-9A-Za-z.+~-]+)?$ ]] || {
	echo "deploy/package.sh: expected a version such as 1.2.3, found $version" >&2
	exit 2
}

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH CGO_ENABLED=0
go=${GO:-go}
nfpm=$PWD/.cache/bin/nfpm
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
dist=$(realpath -m "${DIST:-dist}")
mkdir -p "$dist"
cp -r deploy "$stage/deploy"
cp -r docs/runbooks "$stage/runbooks"

common() { # what is the same for all architectures: pages, completions, documents; made by a program for this machine
	local host=$stage/host
	build "$host" "$($go env GOHOSTARCH)"
	mkdir -p "$stage/man" "$stage/completions"
	"$host/ballast" man "$stage/man"
	"$host/ballastd" man "$stage/man"
	gzip -9n "$stage"/man/*.1
	"$host/ballast" completion bash >"$stage/completions/ballast.bash"
	"$host/ballast" completion zsh >"$stage/completions/_ballast"
	"$host/ballast" completion fish >"$stage/completions/ballast.fish"
	gzip -9nc CHANGELOG.md >"$stage/CHANGELOG.md.gz"
	printf 'ballast (%s) stable; urgency=medium\n\n  * What changed is in CHANGELOG.md.gz beside this file.\n\n -- Ballast <ballast@ballastdb.example>  %s\n' \
		"$version" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$stage/changelog.gz"
	{
		printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: Ballast\n'
		printf 'Source: https://github.com/ballastdb/ballast\n\nFiles: *\nCopyright: 2026 The authors of Ballast\nLicense: Apache-2.0\n'
		printf ' On Debian systems the text of this license is in /usr/share/common-licenses/Apache-2.0.\n'
	} >"$stage/copyright"
}

build() { # build DIR ARCH
	GOOS=linux GOARCH=$2 $go build -trimpath -ldflags "-s -w -X github.com/ballastdb/ballast/internal/version.number=$version" \
		-o "$1/" ./cmd/ballast ./cmd/ballastd
}

common
for arch in "${arches[@]}"; do
	build "$stage/bin" "$arch"
	for packager in ${PACKAGERS:-deb rpm}; do
		(cd "$stage" && VERSION=$version ARCH=$arch "$nfpm" package --config deploy/nfpm.yaml --packager "$packager" --target "$dist/")
	done
	if $release; then
		tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$stage" -czf "$dist/ballast_${version}_linux_$arch.tar.gz" \
			bin man completions copyright
	fi
done
if $release; then
	(cd "$dist" && sha256sum ballast?"$version"* >SHA256SUMS && cat SHA256SUMS)
fi
