# syntax=docker/dockerfile:1
# The gate in a container. PKCS#11 modules are C libraries of the host's vendor, so
# the base is glibc; mount the module (and its configuration) read-only:
#
#   docker run --read-only -v /etc/countersign:/etc/countersign:ro \
#     -v countersign:/var/lib/countersign \
#     -v /usr/lib/softhsm/libsofthsm2.so:/usr/lib/pkcs11/module.so:ro OWNER/countersign

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=1 go build -trimpath -ldflags="-s -w" -o /out/countersignd ./cmd/countersignd
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/countersign ./cmd/countersign
RUN make clients BIN=/out

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libssl3 libstdc++6 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 65532 --home-dir /var/lib/countersign --create-home countersign
COPY --from=build /out/countersignd /out/countersign /usr/local/bin/
COPY --from=build /out/clients /usr/share/countersign/clients
RUN install -d -m 0700 -o countersign -g countersign /etc/countersign /var/lib/tokens
USER 65532:65532
VOLUME /var/lib/countersign
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
ENTRYPOINT ["countersignd"]
CMD ["serve", "--config", "/etc/countersign/countersign.yaml"]
