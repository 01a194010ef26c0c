# syntax=docker/dockerfile:1

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/gateway ./cmd/gateway \
 && mkdir -p /out/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/gateway /gateway
COPY --from=build --chown=nonroot:nonroot /out/data /data
USER nonroot
ENV GATEWAY_LISTEN=0.0.0.0:8080 \
    GATEWAY_DATA=/data \
    GATEWAY_LOG_FORMAT=json
EXPOSE 8080
VOLUME /data
# The image has no shell and no curl: the binary asks itself.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["/gateway", "health"]
ENTRYPOINT ["/gateway"]
CMD ["serve"]
