/** In what do two to four models differ? */
import { Modal, Switch, Table } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { api, read } from "@/api/client";
import { StateOf } from "@/components/States";
import classes from "./Models.module.css";
import { fieldTitle, valueText } from "./values";

export function CompareView(props: { names: string[]; onClose: () => void }): ReactElement {
  const { names, onClose } = props;
  const [isShort, setIsShort] = useState(false);
  const query = useQuery({
    queryKey: ["models", "compare", ...names],
    enabled: names.length > 1,
    queryFn: ({ signal }) =>
      read(
        api.GET("/api/v1/models/actions/compare", { params: { query: { name: names } }, signal }),
      ),
  });
  return (
    <Modal opened={names.length > 1} onClose={onClose} title="Models side by side" size="xl">
      <StateOf query={query}>
        {(found) => (
          <>
            <Switch
              mb="sm"
              label="Only what differs"
              checked={isShort}
              onChange={(event) => setIsShort(event.currentTarget.checked)}
            />
            <div className={classes.wide}>
              <Table aria-label="Comparison" withColumnBorders>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>
                      <span className="visually-hidden">Property</span>
                    </Table.Th>
                    {found.models.map((name) => (
                      <Table.Th key={name} style={{ overflowWrap: "anywhere", minWidth: 120 }}>
                        <bdi>{name}</bdi>
                      </Table.Th>
                    ))}
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {found.fields
                    .filter((row) => row.field !== "model_name" && (row.differs || !isShort))
                    .map((row) => (
                      <Table.Tr key={row.field} className={row.differs ? classes.differs : ""}>
                        <Table.Th fw={400}>
                          {fieldTitle(row.field)}
                          {row.differs && <span className="visually-hidden"> (differs)</span>}
                        </Table.Th>
                        {row.values.map((value, place) => (
                          <Table.Td
                            key={found.models[place]}
                            style={{ overflowWrap: "anywhere", fontVariantNumeric: "tabular-nums" }}
                          >
                            <bdi>{valueText(row.field, value)}</bdi>
                          </Table.Td>
                        ))}
                      </Table.Tr>
                    ))}
                </Table.Tbody>
              </Table>
            </div>
          </>
        )}
      </StateOf>
    </Modal>
  );
}
