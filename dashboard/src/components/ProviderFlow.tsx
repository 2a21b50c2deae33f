/** Who was expected to serve, and who did? Left the plan's first, right the actual provider. */
import { Text } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import type { ReactElement } from "react";
import { Layer, Rectangle, ResponsiveContainer, Sankey } from "recharts";
import type { Schemas } from "@/api/client";
import { count, percent } from "@/lib/format";
import { providerColor, providerFill, providerName } from "@/lib/providers";

interface Node {
  name: string;
  provider: string | null;
  isLeft: boolean;
}
const NODE_PX = 44;
const LABEL_PX = 132;

export default function Flow({ flows }: { flows: Schemas["FlowsView"] }): ReactElement {
  const navigate = useNavigate();
  const nodes: Node[] = [];
  const places = new Map<string, number>();
  const placeOf = (provider: string | null, isLeft: boolean): number => {
    const key = `${isLeft}/${provider}`;
    const known = places.get(key);
    if (known !== undefined) return known;
    const name = provider === null ? "not planned" : providerName(provider);
    places.set(key, nodes.push({ name, provider, isLeft }) - 1);
    return nodes.length - 1;
  };
  const links = flows.flows.map((flow) => ({
    source: placeOf(flow.expected, true),
    target: placeOf(flow.actual, false),
    value: flow.calls,
  }));
  const side = Math.max(
    nodes.filter((node) => node.isLeft).length,
    nodes.filter((node) => !node.isLeft).length,
  );
  const height = Math.min(520, Math.max(140, side * NODE_PX));
  return (
    <>
      <div aria-hidden="true">
        <ResponsiveContainer width="100%" height={height}>
          <Sankey
            data={{ nodes, links }}
            nodePadding={18}
            nodeWidth={10}
            margin={{ top: 8, bottom: 8, left: LABEL_PX, right: LABEL_PX }}
            sort={false}
            // The list below says the same to whoever does not see it.
            accessibilityLayer={false}
            node={(props) => (
              <FlowNode
                x={props.x}
                y={props.y}
                width={props.width}
                height={props.height}
                node={props.payload as unknown as Node & { value: number }}
              />
            )}
            link={(props) => {
              const target = props.payload.target as unknown as Node;
              const { sourceX, targetX, sourceY, targetY, linkWidth } = props;
              const { sourceControlX, targetControlX } = props;
              return (
                // biome-ignore lint/a11y/noStaticElementInteractions: the list below says the same
                <path
                  d={`M${sourceX},${sourceY}C${sourceControlX},${sourceY} ${targetControlX},${targetY} ${targetX},${targetY}`}
                  fill="none"
                  stroke={providerColor(target.provider)}
                  strokeOpacity={0.35}
                  strokeWidth={Math.max(1, linkWidth)}
                  style={{ cursor: "pointer" }}
                  onClick={() =>
                    void navigate({ to: "/logs", search: { provider: target.provider ?? "" } })
                  }
                />
              );
            }}
          />
        </ResponsiveContainer>
      </div>
      <Text size="sm">
        {count(flows.fell_back)} of {count(flows.calls)} calls needed more than one try (
        {percent(flows.fallback_share)}).
        {!flows.is_complete && " Of those only the newest are drawn."}
      </Text>
      <ul className="visually-hidden">
        {flows.flows.map((flow) => (
          <li key={`${flow.expected}-${flow.actual}`}>
            expected {flow.expected === null ? "nobody" : providerName(flow.expected)}, served by{" "}
            {providerName(flow.actual)}: {count(flow.calls)} calls
          </li>
        ))}
      </ul>
    </>
  );
}

interface FlowNodeProps {
  x: number;
  y: number;
  width: number;
  height: number;
  node: Node & { value: number };
}

function FlowNode({ x, y, width, height, node }: FlowNodeProps): ReactElement {
  const at = node.isLeft ? x - 8 : x + width + 8;
  return (
    <Layer>
      <Rectangle
        x={x}
        y={y}
        width={width}
        height={Math.max(2, height)}
        fill={node.provider === null ? "#868e96" : providerFill(node.provider)}
      />
      <text
        x={at}
        y={y + height / 2}
        textAnchor={node.isLeft ? "end" : "start"}
        dominantBaseline="middle"
        fontSize={12}
        fill="var(--mantine-color-text)"
      >
        {node.name}
        <tspan fill="var(--mantine-color-dimmed)"> {count(node.value)}</tspan>
      </text>
    </Layer>
  );
}
