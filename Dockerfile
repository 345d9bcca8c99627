# syntax=docker/dockerfile:1
# The dashboard as a read-only server: docker build -t tailscope .
# pip chooses the build of torch; for another, name PyTorch's index of it:
#     docker build -t tailscope --build-arg TORCH_INDEX=URL .
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build
ARG TORCH_INDEX=
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/tailscope
ENV PATH=/opt/tailscope/bin:$PATH
COPY requirements.txt ./
# torch and torchvision first and from one place: what follows then keeps them.
RUN grep -E "^torch" requirements.txt > torch.txt \
    && pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -r torch.txt \
    && pip install -r requirements.txt
COPY . .
RUN pip install --no-deps .

FROM python:${PYTHON}-slim-bookworm
RUN useradd --create-home --uid 1000 tailscope \
    && install --directory --owner tailscope --group tailscope --mode 0700 /cache
COPY --from=build /opt/tailscope /opt/tailscope
# Everything that is cached or fetched lies in the volume. Bound to 0.0.0.0 the dashboard is read-only and opens no
# folder; TAILSCOPE_ALLOW_JOBS=0 keeps it so behind any address.
ENV PATH=/opt/tailscope/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TAILSCOPE_CACHE=/cache \
    TAILSCOPE_ALLOW_JOBS=0 \
    HF_HOME=/cache/huggingface
USER 1000
WORKDIR /home/tailscope
VOLUME /cache
EXPOSE 8501
HEALTHCHECK --start-period=60s --interval=30s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
ENTRYPOINT ["tailscope"]
CMD ["run", "--address", "0.0.0.0"]
